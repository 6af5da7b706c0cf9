"""Names and values as the text that databases read.

Names: ``quote`` and ``quoted`` (``quoting``). Values: ``copy_text`` for PostgreSQL's COPY,
``sqlite_values`` for SQLite, ``sqlalchemy_values`` for other databases; ``date_text`` refuses
dates and times that could be read in several ways. ``encoding`` keeps texts of our own tables
storable in any database.
"""
