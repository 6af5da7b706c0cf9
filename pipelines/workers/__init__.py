"""One ingestion by several worker processes of one machine: one plan, one summary, one progress bar."""
