"""The database itself: how to reach it, what its errors mean, and the tables named ``ingest_``.

``database.Database`` says where it is, ``engine.transaction`` begins a transaction whose errors
have a meaning (``classify``), and ``dialects.dialect_of`` gives everything that differs from
database to database (``dialect.Dialect``). ``tables`` has all tables, ``migrations`` creates them
and brings those of earlier versions up to date, and ``leases`` keeps ``ingest_leases``: a row is
entered by the process that takes a lease, renewed by a thread of it, and deleted by a rescue
(``sinks.jobs.rescue``) once it has run out and no jobs are executing under it.
"""
