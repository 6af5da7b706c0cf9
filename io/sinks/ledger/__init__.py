"""The ledger, table `ingest_progress`: which ranges of each source are settled, and their counts."""
