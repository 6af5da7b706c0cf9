"""What happens to a record, whatever connector it comes from and whatever runner it runs on.

batch      what flows: records, batches, splits, counts, and how they are coded
read       ``ReadSplits``: read the splits of sources that the ledger lacks
parse      ``Parse`` and ``Validate``: from raw bytes to checked values
mapping    ``Map``: records shaped by a document
steps      ``EachRecord``, ``Retry``, ``Explode``: what a user puts between Validate and Write
settle     ``Write``: commit batches with their failures and counts

Beside them: ``errors`` (what can go wrong, and what each error means), ``metrics`` (all counters),
``secrets`` (references instead of passwords), ``per_process`` (caches that do not survive a fork),
``throttle`` (what is done once in an interval).
"""
