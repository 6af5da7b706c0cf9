"""Where records go: the SQL sink, its ledger and its jobs."""
