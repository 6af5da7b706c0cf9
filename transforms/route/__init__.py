"""One stream into several tables: where each record goes, and how it is shaped for its table."""
