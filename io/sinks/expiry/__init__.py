"""How long it is kept that a key is gone: what is old enough, what may still come, what was removed."""
