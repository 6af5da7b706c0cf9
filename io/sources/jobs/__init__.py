"""Due retries and replayed dead letters, read back as records."""
