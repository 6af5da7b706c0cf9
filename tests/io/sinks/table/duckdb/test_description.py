"""What is read of a table: what it takes, what is unique, what a row must be."""

from __future__ import annotations

from sinks.database.engine import transaction
from sinks.table.duckdb.description import (
    Reference,
    add_statement,
    create_statement,
    depths,
    describe,
    rules_of,
)
from sinks.table.schema import NewColumn
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName


def test_columns_and_rules_are_read(duckdb_database: Database) -> None:
    duckdb_database.run(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE t (k INTEGER PRIMARY KEY, n DECIMAL(9,2) NOT NULL DEFAULT 1, e ENUM('A', 'b'), "
        'g INTEGER GENERATED ALWAYS AS (k + 1), p INTEGER REFERENCES parents (id), "own" INTEGER REFERENCES t (k), '
        "CHECK (n > p))",
        "CREATE UNIQUE INDEX one ON t (n, e)",
        "CREATE UNIQUE INDEX two ON t ((k + 1))",
    )
    with transaction(duckdb_database.database, "test") as connection:
        description = describe(connection, TableName("T"))
        rules = rules_of(connection, TableName("t", "main"))
        assert describe(connection, TableName("missing")) is None
        tables = [TableName("t"), TableName("parents"), TableName("missing")]
        assert depths(connection, tables) == [1, 0, 0]
    assert description is not None
    kinds = {column.name: column.type for column in description.columns}
    assert (kinds["n"], kinds["e"]) == ("decimal(9,2)", "enum('A', 'b')")
    columns = {column.name: column for column in description.columns}
    assert [name for name, column in columns.items() if column.generated] == ["g"]
    assert [name for name, column in columns.items() if column.has_default] == ["n"]
    assert {name for name, column in columns.items() if column.not_null} == {"k", "n"}
    assert set(rules.unique) == {frozenset("k"), frozenset("ne"), frozenset([""])}
    assert rules.checks == (("(n > p)", frozenset("np")),)
    assert Reference(("p",), "parents", ("id",)) in rules.references
    assert rules.references_itself
    assert description.interplay.self_references == ((("own",), ("k",)),)


def test_tables_are_created_and_get_columns(duckdb_database: Database) -> None:
    table = TableName("a b", "main")
    columns = [NewColumn("k", "text"), NewColumn("n", "numeric", nullable=False)]
    more = NewColumn("j", "json")
    with transaction(duckdb_database.database, "test") as connection:
        for statement in [create_statement(table, columns, ["k"]), add_statement(table, more)] * 2:
            connection.exec_driver_sql(statement)
        description = describe(connection, table)
    assert description is not None
    assert [(column.name, column.type) for column in description.columns] == [
        ("k", "varchar"),
        ("n", "decimal(38,10)"),
        ("j", "json"),
    ]
    assert description.unique == (frozenset("k"),)
