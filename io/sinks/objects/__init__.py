"""Objects as a sink: files of Parquet or JSON lines in a bucket or folder, and their manifest."""
