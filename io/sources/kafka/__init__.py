"""Kafka topics: partitions, offsets, fetching and the progress of each reader."""
