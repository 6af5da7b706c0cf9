"""What DuckDB's catalogue says of a table."""

# ruff: noqa: S608 - only constants and quoted identifiers are put into statements

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.database.backends.duckdb.reflection import columns_of
from sinks.database.depths import depths_of
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.target import Column, Description, Interplay
from sinks.text.quoting import quote, quoted
from transforms.route.table_name import TableName

_TYPES: dict[LogicalType, str] = {
    "text": "VARCHAR",
    "uuid": "UUID",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "date": "DATE",
    "time": "TIME",
    "integer": "BIGINT",
    "numeric": "DECIMAL(38,10)",
    "boolean": "BOOLEAN",
    "json": "JSON",
    "bytes": "BLOB",
}

_ONE_SPELLING = frozenset(("VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UUID"))
"""Types whose values are keys of deletes: what is equal is spelled alike once it is read as its type."""

# Names are not told apart by their capitals.
_OF = (
    "database_name = current_database() AND schema_name = coalesce(?, current_schema()) "
    "AND lower(table_name) = lower(?)"
)
_COLUMNS = (
    "SELECT column_name, data_type, column_default, is_generated, is_nullable "
    f"FROM duckdb_columns() WHERE {_OF} ORDER BY column_index"
)
_CONSTRAINTS = (
    "SELECT constraint_type, constraint_column_names, expression, referenced_table, "
    f"referenced_column_names FROM duckdb_constraints() WHERE {_OF} ORDER BY constraint_index"
)
_UNIQUE_INDEXES = f"SELECT expressions FROM duckdb_indexes() WHERE is_unique AND {_OF}"
_VIEWS = (
    "SELECT view_name FROM duckdb_views() WHERE database_name = current_database() "
    "AND schema_name = coalesce(?, current_schema()) AND lower(view_name) = lower(?)"
)
_REFERENCES = (
    "SELECT schema_name, table_name, referenced_table FROM duckdb_constraints() "
    "WHERE database_name = current_database() AND constraint_type = 'FOREIGN KEY'"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key.

    Attributes:
        columns: Of the table.
        table: What it refers to, in the same schema.
        others: The columns there.
    """

    columns: tuple[str, ...]
    table: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides, besides types, whether a row is accepted.

    Attributes:
        primary: The columns of the primary key.
        unique: The column sets that are unique, the primary key too.
        checks: The conditions, with the columns that each looks at.
        references: The foreign keys.
        references_itself: Whether one of them is to the table itself.
    """

    primary: frozenset[str]
    unique: tuple[frozenset[str], ...]
    checks: tuple[tuple[str, frozenset[str]], ...]
    references: tuple[Reference, ...]
    references_itself: bool


def describe(connection: sa.Connection, table: TableName) -> Description | None:
    """``table`` as the catalogue describes it; None if there is no such table."""
    rows = _all(connection, _COLUMNS, table)
    if not rows:
        return None
    columns = tuple(
        Column(
            name,
            _type(kind),
            has_default=default is not None and not generated,
            generated=bool(generated),
            not_null=not nullable,
            one_spelling=kind in _ONE_SPELLING,
        )
        for name, kind, default, generated, nullable in rows
    )
    rules = rules_of(connection, table)
    interplay = Interplay(
        entangled=rules.references_itself,
        self_references=tuple(
            (reference.columns, reference.others)
            for reference in rules.references
            if reference.table.lower() == table.name.lower()
        ),
        checked=frozenset(name for _, names in rules.checks for name in names),
        references=frozenset(name for each in rules.references for name in each.columns),
    )
    view = bool(_all(connection, _VIEWS, table))
    return Description(columns, rules.unique, interplay=interplay, view=view)


def rules_of(connection: sa.Connection, table: TableName) -> Rules:
    """The constraints and unique indexes of a table."""
    primary: frozenset[str] = frozenset()
    unique: list[frozenset[str]] = []
    checks = []
    references = []
    for kind, names, text, other, others in _all(connection, _CONSTRAINTS, table):
        if kind == "PRIMARY KEY":
            primary = frozenset(names)
        if kind in ("PRIMARY KEY", "UNIQUE"):
            unique.append(frozenset(names))
        elif kind == "CHECK":
            checks.append((text, frozenset(names)))
        elif kind == "FOREIGN KEY":
            references.append(Reference(tuple(names), other, tuple(others)))
    for (expressions,) in _all(connection, _UNIQUE_INDEXES, table):
        columns = columns_of(expressions)
        unique.append(frozenset(name or "" for name in columns))  # "" is no column: it is no key
    return Rules(
        primary,
        tuple(unique),
        tuple(checks),
        tuple(references),
        any(each.table.lower() == table.name.lower() for each in references),
    )


def depths(connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
    """How deep each of ``tables`` lies in the graph of foreign keys, which stay within a schema."""
    cursor: Any = connection.connection.cursor()
    cursor.execute("SELECT current_schema()")
    here = str((cursor.fetchone() or ("main",))[0]).lower()
    cursor.execute(_REFERENCES)
    by_table = depths_of(
        [
            ((schema.lower(), own.lower()), (schema.lower(), other.lower()))
            for schema, own, other in cursor.fetchall()
        ]
    )
    return [
        by_table.get(((table.schema or here).lower(), table.name.lower()), 0) for table in tables
    ]


def create_statement(table: TableName, columns: Sequence[NewColumn], key: Sequence[str]) -> str:
    """CREATE TABLE, unless it exists."""
    lines = [
        f"{quote(column.name)} {_TYPES[column.type]}"
        + ("" if column.nullable and column.name not in key else " NOT NULL")
        for column in columns
    ]
    lines.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
    return f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(lines)})"


def add_statement(table: TableName, column: NewColumn) -> str:
    """ALTER TABLE, unless the column is there."""
    return f"ALTER TABLE {quoted(table)} ADD COLUMN IF NOT EXISTS {quote(column.name)} {_TYPES[column.type]}"


def _type(declared: str) -> str:
    """In lower case, but for the words of an ENUM."""
    return "enum" + declared[4:] if declared.startswith("ENUM(") else declared.lower()


def _all(connection: sa.Connection, query: str, table: TableName) -> list[tuple[Any, ...]]:
    cursor: Any = connection.connection.cursor()
    cursor.execute(query, (table.schema, table.name))
    return list(cursor.fetchall())
