"""Connections to Kafka: the settings of librdkafka, its addresses and errors, its log, the shared producer."""
