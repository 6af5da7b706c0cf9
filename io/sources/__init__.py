"""Where records come from: one kind of source for each folder, all of them behind one contract.

A source (``transforms.batch.splits.Source``) is a frozen configuration that says which splits the
ledger still lacks and opens a reader for one of them. ``by_uri.source_for`` chooses it by the
scheme of its URI: ``files/`` reads local files and S3 objects (whose bytes ``storage/`` serves),
``kafka/`` reads topics. Two sources have no URI of the user's: ``jobs/`` reads failed records
again once they are due, and ``outbox`` reads the changes to publish.

Public: ``source_for``, ``SourceOptions``, ``FilesSource``, ``KafkaSource``, ``JobsSource``,
``OutboxSource``.
"""
