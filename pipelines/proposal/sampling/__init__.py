"""The sample of a source: what is read of it, and what it shows of each field."""
