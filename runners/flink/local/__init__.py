"""A Flink cluster on this machine, for trying and testing."""
