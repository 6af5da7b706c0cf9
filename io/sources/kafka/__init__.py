"""Kafka topics as a source, read by librdkafka without a JVM and without group membership.

``source.KafkaSource`` (URI: ``uri``) names its splits; each split reads the partitions ``p`` with
``p % splits == i`` by a ``reader.KafkaReader``. Life of a partition: ``discovery`` looks at the
``cluster`` in the background, ``starts`` finds new partitions, ``beginning`` decides where they
begin, ``fetch`` takes messages, ``guard`` holds them back until their topic is certain to be the
one that is meant, ``batches`` turns them into batches. If a topic is deleted and created again,
``leftover`` tells old messages from new ones, and its labels (``label``) keep the two apart in
the ledger ``ingest_progress``. ``commit.CommitOffsets`` tells the consumer group (``progress``)
what is settled. Public: ``KafkaSource``, ``CommitOffsets``, ``commit.flush``.
"""
