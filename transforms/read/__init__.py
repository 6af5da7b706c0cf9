"""Read splits, checkpoint them, and stop on request.

``ReadSplits`` (``read``) plans the splits of every source. ``reading`` is the loop over one split: it opens
its ``Reader``, claims what the reader has polled, and emits it as the steps can take it (``emission``).
``restriction`` is what is left of a split, with its tracker.
``readers`` keeps open readers between two bundles of their split. ``quota`` is how fast a split may be
read, by the token buckets (``bucket``) of its process. ``drain`` is the request to stop.

Public names: ``ReadSplits``, ``Pacing`` (``reading``), and the contract ``JobQueue`` (``job_queue``), through
which failed records are read again.
"""
