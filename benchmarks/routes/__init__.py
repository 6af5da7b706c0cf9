"""One topic into ten tables, and into Parquet objects.

``event_types`` says what the ten types are, ``records`` makes the records, and ``expected`` says what
must become of them. ``stage`` starts the services and describes a run, ``tables`` and ``lake`` read what
it has written. ``kills``, ``flink``, ``faults`` and ``deadlock`` compare it with what must be there,
``rates`` measures.
"""
