"""What operators ask of pipelines, table ``ingest_control``: ``requests`` writes and reads its rows, and
``polling`` asks for those of one pipeline again and again in each process that reads for it."""
