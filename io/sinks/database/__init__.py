"""The database itself: engines, errors and their classes, the tables named `ingest_`, leases."""
