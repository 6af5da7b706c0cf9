"""The outbox: changes of the target table that are published after their commit.

``rows`` stores each change in ``ingest_outbox`` within the transaction that makes it. ``queue`` hands
out the rows that are not published, in parts of which each has one publisher at a time, marks them
once they are sent, and deletes them later. ``topic`` sends them to Kafka.

Public: ``queue.SqlOutboxQueue``, ``topic.OutboxTopic``.
"""
