"""Avro: how the types of a schema become plain values, and a reader of single records."""
