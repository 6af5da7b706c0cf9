"""Where records go: a table of a SQL database, with a ledger, jobs and an outbox beside it.

``sql`` has the public names: ``WriteToSql``, ``SqlSink``, ``SqlConfig``, ``OnConflict`` and
``SqlLedger``. It is the one transaction that settles batches: rows, failures, effects and progress.
``targets`` prepares and remembers the target table, ``writers`` chooses the writer for a database,
and ``failures`` decides what follows from a failure. The wings: ``text``, ``database``, ``table``,
``ledger``, ``jobs``, ``outbox`` and ``dead_letters``.
"""
