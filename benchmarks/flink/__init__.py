"""Flink: speed, kills and the cost of an idle stream."""
