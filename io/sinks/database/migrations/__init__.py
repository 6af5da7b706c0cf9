"""Versions of the tables named ``ingest_``, and how one becomes the next.

``version`` says which version a database has, and creates the tables of the latest. ``migrate`` brings
those of an earlier one up to date, by the numbered migrations of ``sequence``: one module for each,
``to_1``, ``to_2`` and so on, made of ``migration.Step``. A migration never changes once it is
released; it names tables and columns as they were then (``version_1``), and asks ``present`` what is
there, so that it can be run again after it was interrupted. ``operations`` writes the SQL, by Alembic,
which is imported only when a migration is due. ``sinks.database.activity`` notices programs that are at work.
"""
