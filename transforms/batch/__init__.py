"""What flows through a pipeline, as plain frozen data.

A source makes a ``Split`` (``splits``), its reader makes a ``RecordBatch`` of each poll
(``record``), steps move records of the batch to its failures or make ``several`` of one
(``expansion`` tells them apart), and a commit turns the batch into
``Counts`` (``counts``) and settles its ``Span``. ``coverage`` is the arithmetic of settled ranges.

Public names: ``Record``, ``RecordBatch``, ``Failure``, ``Origin``, ``Span``, ``Split``, ``Source``,
``Reader``, ``Ledger``, ``Counts``, ``Several``, ``Backoff``, ``Outage``, ``RetryPolicy``. ``coders`` says how
they travel between processes, on the byte form of ``plain``.
"""
