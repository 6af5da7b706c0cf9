"""Flink: submitting a job to a cluster, and following it."""
