"""Protobuf: the text of a schema becomes descriptors, and messages plain values, without ``protoc``."""
