"""Each database gets its own dialect; one that is not known gets portable SQL."""

from __future__ import annotations

import pytest

from sinks.database.backends.duckdb.dialect import Duckdb
from sinks.database.backends.generic import Generic
from sinks.database.backends.mariadb import Mariadb
from sinks.database.backends.postgres import Postgres
from sinks.database.backends.sqlite import Sqlite
from sinks.database.dialect import Dialect
from sinks.database.dialects import dialect_named, dialect_of
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database


@pytest.mark.parametrize(
    ("backend", "driver", "dialect"),
    [
        ("postgresql", "psycopg2", Postgres()),
        ("postgresql", "asyncpg", Postgres(writing="portable", experimental=True)),
        ("sqlite", "pysqlite", Sqlite()),
        ("sqlite", "turso", Generic()),
        ("mysql", "pymysql", Mariadb()),
        ("mariadb", "pymysql", Mariadb()),
        ("mysql", "mysqldb", Mariadb(writing="portable", experimental=True)),
        ("mssql", "pyodbc", Generic()),
    ],
)
def test_a_dialect_is_chosen_by_database_and_driver(
    backend: str, driver: str, dialect: Dialect
) -> None:
    assert dialect_named(backend, driver) == dialect
    assert type(dialect_named(backend, driver)) is type(dialect)


@pytest.mark.integration
def test_names_are_folded_as_the_server_says(mariadb: Database, postgres: Database) -> None:
    (by_server,) = mariadb.rows("SELECT @@lower_case_table_names")
    for database, folds in ((mariadb, by_server != (0,)), (postgres, False)):
        with transaction(database.database, "test", write=False) as connection:
            assert dialect_of(connection).folds_names(connection) is folds


def test_each_database_under_test_has_another(database: Database) -> None:
    with transaction(database.database, "test", write=False) as connection:
        kinds = {
            "sqlite": Sqlite,
            "postgres": Postgres,
            "generic": Generic,
            "mariadb": Mariadb,
            "duckdb": Duckdb,
        }
        assert type(dialect_of(connection)) is kinds[database.kind]
