"""What sources and sinks share of Kafka, all through librdkafka.

``address`` splits ``kafka://`` URIs, ``config`` merges the user's settings with those that must not
change, ``errors`` says what an error means, ``metadata`` asks for topics, ``log`` limits and redacts the library's log, and
``producer`` has the idempotent producer of a process (``producer``, ``KafkaProducer``, ``Message``):
made at the first use for a cluster, abandoned after a fatal error, and made again by the next use.
"""
