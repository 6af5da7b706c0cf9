"""Clients that sources and sinks share: one of each for every process, and their settings.

``s3`` makes the S3 client (``client``, ``S3Settings``), ``s3_errors`` reads its errors, ``kafka`` has
what both sides need of Kafka. ``transforms.per_process`` keeps the clients: they are made at the
first use and never shared with a forked child. What only one side needs is in its own wing.
"""
