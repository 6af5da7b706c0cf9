"""Failed records as durable jobs: the tables `ingest_jobs` and `ingest_queue`, from failure to settlement."""
