"""Writing into a PostgreSQL table: COPY, directly or by way of a staging table.

``PostgresWriter`` (``writer``) is the public name. A commit goes through ``copy``: rows that do not
depend on each other are copied directly into the table unless ``direct`` pauses that. Otherwise
``staging`` copies them into a temporary table and inserts them from there, with the SQL of
``statements``; ``folding`` spares the rows that a later row of their key replaces. ``keys`` tells
which rows have equal keys, ``lines`` encodes rows for COPY, and ``session`` has the savepoints.
``refused`` finds many rows that the table refuses at a time.
"""
