"""Settle batches: commit them in order, and hand on what became of them.

``Write`` (``write``) commits every ``RecordBatch`` in a ``Sink`` and emits ``Settled`` and the
failures, after the commit. ``gather`` says when a commit begins, by the ``bounds`` of each table.
``lineage`` refuses two writes behind one read. ``dead_letters`` is the contract of a second place
for dead letters. ``split_failures`` serves pipelines that do not end in a ``Sink``.

Public names: ``Write``, ``WriteConfig``, ``Sink``, ``Settled``, ``DeadLetterSink``,
``SplitFailures``.
"""
