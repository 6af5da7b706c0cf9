"""Repairs that are more than one action at once: long orders, carried out in chunks, and edits of records."""
