"""Topics into Postgres.

``ingest`` measures against the ``plain_loop``, ``latency`` from produce to commit, ``soak`` memory over
time; ``backpressure`` slows the database, ``kills`` kills the process, ``faults`` changes or stops the
broker. ``services``, ``feed``, ``ingestion``, ``watch`` and ``checks`` are what they are built from.
"""
