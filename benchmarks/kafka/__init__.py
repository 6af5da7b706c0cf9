"""Topics into Postgres: speed, latency, memory, backpressure, kills and faults."""
