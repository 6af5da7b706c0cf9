"""Settling: batches committed in order, dead letters, counts handed on."""
