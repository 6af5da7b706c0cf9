"""Batches of Parquet whose columns stay as Arrow has them until they are written."""
