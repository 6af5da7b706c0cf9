"""Measurements that take minutes: not tests, run by hand and recorded in docs/performance.md."""
