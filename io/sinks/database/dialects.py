"""Which dialect is for which database: the one place that asks for its name.

A dialect is imported for its own database only: that of Postgres takes 30 ms. Other packages may bring one for
their database, by an entry point (docs/first-target.md).
"""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa

from sinks.database.dialect import Dialect

ENTRY_POINTS = "sluice.dialects"
"""The group of the entry points; each is named like the database in a URL."""


def dialect_of(connection: sa.Connection) -> Dialect:
    """The dialect of the database that ``connection`` speaks to."""
    return dialect_named(connection.dialect.name, connection.dialect.driver)


@lru_cache
def dialect_named(backend: str, driver: str = "") -> Dialect:
    """The dialect of a database and its driver, by SQLAlchemy's names for them."""
    if backend in ("postgresql", "postgres"):
        from sinks.database.backends.postgres import Postgres

        if driver == "psycopg2":
            return Postgres()
        return Postgres(writing="portable", experimental=True)
    if backend == "sqlite" and driver in ("", "pysqlite"):
        from sinks.database.backends.sqlite import Sqlite

        return Sqlite()
    if backend in ("mysql", "mariadb"):
        from sinks.database.backends.mariadb import Mariadb

        if driver in ("", "pymysql"):
            return Mariadb()
        return Mariadb(writing="portable", experimental=True)
    if backend == "duckdb":
        from sinks.database.backends.duckdb.dialect import Duckdb
        from sinks.database.backends.duckdb.sql_dialect import register

        register()
        return Duckdb()
    from importlib.metadata import entry_points  # takes 100 ms

    for point in entry_points(group=ENTRY_POINTS, name=backend):
        dialect: Dialect = point.load()()
        return dialect
    from sinks.database.backends.generic import Generic

    return Generic()
