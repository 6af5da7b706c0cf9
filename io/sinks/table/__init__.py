"""The target table: its columns and key, and how records become rows of it.

``records`` collects the records of a commit, ``cells`` gives CSV cells their types, ``rows`` and
``turns`` (pure) make rows and say which of them must be written in order. Each kind of database has
a ``TableWriter`` (``writer``): ``PostgresWriter``, ``SqliteWriter`` and ``GenericWriter``, which
describes, creates and writes a table. Rows that the database refuses become ``Poison``; ``isolate``
finds them.

Life of a target: ``schema`` names the columns of a missing table, ``target`` checks an existing one
against the configuration, and ``layouts`` remembers in the table ``ingest_targets`` whether a table
takes whole records.
"""
