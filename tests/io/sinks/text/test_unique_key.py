"""What is said to make a key unique does so, as it stands, in each database."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.text.unique_key import unique_statement
from sinks.writers import writer_of
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName

KINDS = [
    "sqlite_database",
    "duckdb_database",
    *(pytest.param(name, marks=pytest.mark.integration) for name in ("postgres", "mariadb")),
]


@pytest.mark.parametrize("name", ["Orders", "Order Lines", 'we"ird'])
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_run_as_it_is_said(kind: str, name: str, request: pytest.FixtureRequest) -> None:
    database: Database = request.getfixturevalue(kind)
    table = TableName(name)
    quoted = name.replace('"', '""')
    database.run(f'CREATE TABLE "{quoted}" ("Id" integer, "a b" integer, other integer)')
    with transaction(database.database, "test") as connection:
        columns = ["Id", "a b"]
        connection.exec_driver_sql(unique_statement(table, columns, connection.dialect))
        described = writer_of(connection).describe(connection, table)
    assert described is not None
    assert frozenset(columns) in described.unique


def test_a_schema_is_named_too(sqlite_database: Database) -> None:
    sqlite_database.run("CREATE TABLE t (id integer)")
    table = TableName("t", "main")
    with transaction(sqlite_database.database, "test") as connection:
        statement = unique_statement(table, ["id"], connection.dialect)
        connection.exec_driver_sql(statement)
        described = writer_of(connection).describe(connection, table)
    assert statement == 'CREATE UNIQUE INDEX "main"."t_id_key" ON "t" ("id")'
    assert described is not None
    assert described.unique == (frozenset({"id"}),)


def test_without_a_known_key_the_columns_are_left_open() -> None:
    assert unique_statement(TableName("t"), []) == 'ALTER TABLE "t" ADD UNIQUE (…)'
