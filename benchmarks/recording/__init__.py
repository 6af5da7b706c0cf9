"""The recording of a terminal in README: a run that is killed, and goes on."""
