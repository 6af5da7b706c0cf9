"""The ledger, table ``ingest_progress``: the settled spans of each partition, with their counts.

A commit enters the span of each batch in the transaction that writes its rows, merged with the
spans that it touches (``ledger.record``, ``ranges``). When jobs are settled, given up or replayed
later, ``moves`` moves the counts from one outcome to another. ``ledger.SqlLedger`` answers what is
settled, ``accounts`` compares the ledger with the jobs that are stored, and ``submissions`` (table
``ingest_submissions``) says whether a savepoint belongs to the same target and sources.
"""
