"""Streams of change events, and runs over them that are killed and repeated."""
