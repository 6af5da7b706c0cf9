"""The outbox, table `ingest_outbox`: changes that are published after their commit."""
