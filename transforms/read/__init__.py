"""Read splits, checkpoint them, and stop on request.

``ReadSplits`` (``read``) plans the splits of every source, opens a ``Reader`` for each, and claims
what the reader has polled. ``restriction`` is what is left of a split, with its tracker.
``readers`` keeps open readers between two bundles of their split. ``drain`` is the request to stop.

Public names: ``ReadSplits``, ``Pacing``, and the contract ``JobQueue`` (``job_queue``), through
which failed records are read again.
"""
