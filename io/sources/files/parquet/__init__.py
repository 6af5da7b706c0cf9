"""Parquet: row groups read in batches, and their values as JSON can hold them."""
