"""What DuckDB's catalogue says of tables, as SQLAlchemy's inspector returns it. Names are not told apart by capitals."""

# ruff: noqa: S608 - only constants are put into statements

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

_HERE = "database_name = current_database() AND schema_name = coalesce(?, current_schema())"
_OF = f"{_HERE} AND lower(table_name) = lower(?)"

_TYPES: tuple[tuple[str, Any], ...] = (
    ("TIMESTAMP WITH TIME ZONE", sa.DateTime(timezone=True)),
    ("TIMESTAMP", sa.DateTime()),
    ("TIME", sa.Time()),
    ("DATE", sa.Date()),
    ("DECIMAL", sa.Numeric()),
    ("VARCHAR", sa.Text()),
    ("BLOB", sa.LargeBinary()),
    ("BOOLEAN", sa.Boolean()),
    ("DOUBLE", sa.Double()),
    ("FLOAT", sa.Float()),
    ("BIGINT", sa.BigInteger()),
    ("INTEGER", sa.Integer()),
    ("SMALLINT", sa.SmallInteger()),
    ("UUID", sa.Uuid()),
    ("JSON", sa.JSON()),
)
"""By how the name of a type begins."""


def has_table(connection: sa.Connection, table: str, schema: str | None) -> bool:
    """Whether there is a table or a view."""
    query = (
        f"SELECT 1 FROM duckdb_tables() WHERE {_OF} UNION ALL "
        f"SELECT 1 FROM duckdb_views() WHERE {_HERE} AND lower(view_name) = lower(?)"
    )
    return bool(_all(connection, query, schema, table, schema, table))


def schemas(connection: sa.Connection) -> list[str]:
    """All schemas of the file."""
    query = "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()"
    return [name for (name,) in _all(connection, query)]


def tables(connection: sa.Connection, schema: str | None) -> list[str]:
    """The tables of a schema."""
    query = f"SELECT table_name FROM duckdb_tables() WHERE {_HERE} ORDER BY 1"
    return [name for (name,) in _all(connection, query, schema)]


def views(connection: sa.Connection, schema: str | None) -> list[str]:
    """The views of a schema that users have made."""
    query = f"SELECT view_name FROM duckdb_views() WHERE {_HERE} AND NOT internal ORDER BY 1"
    return [name for (name,) in _all(connection, query, schema)]


def columns(connection: sa.Connection, table: str, schema: str | None) -> list[dict[str, Any]]:
    """The columns of a table, with SQLAlchemy's types as far as it has them.

    Raises:
        sqlalchemy.exc.NoSuchTableError: There is no such table.
    """
    query = (
        "SELECT column_name, data_type, is_nullable, column_default, is_generated "
        f"FROM duckdb_columns() WHERE {_OF} ORDER BY column_index"
    )
    listed = []
    for name, kind, nullable, default, generated in _all(connection, query, schema, table):
        column = {"name": name, "type": _type(kind), "nullable": nullable, "default": default}
        if generated:
            column |= {"computed": {"sqltext": default}, "default": None}
        listed.append(column)
    if not listed:
        raise sa.exc.NoSuchTableError(table)
    return listed


def primary_key(connection: sa.Connection, table: str, schema: str | None) -> dict[str, Any]:
    """The primary key of a table, which may have none."""
    for name, names, *_ in _constraints(connection, "PRIMARY KEY", table, schema):
        return {"name": name, "constrained_columns": names}
    return {"name": None, "constrained_columns": []}


def unique_constraints(
    connection: sa.Connection, table: str, schema: str | None
) -> list[dict[str, Any]]:
    """The unique constraints of a table."""
    rules = _constraints(connection, "UNIQUE", table, schema)
    return [{"name": name, "column_names": names} for name, names, *_ in rules]


def foreign_keys(connection: sa.Connection, table: str, schema: str | None) -> list[dict[str, Any]]:
    """What a table refers to, which is in its own schema."""
    rules = _constraints(connection, "FOREIGN KEY", table, schema)
    return [
        {
            "name": name,
            "constrained_columns": names,
            "referred_schema": schema,
            "referred_table": other,
            "referred_columns": others,
            "options": {},
        }
        for name, names, other, others, _ in rules
    ]


def checks(connection: sa.Connection, table: str, schema: str | None) -> list[dict[str, Any]]:
    """The conditions of a table."""
    rules = _constraints(connection, "CHECK", table, schema)
    return [{"name": name, "sqltext": text} for name, _, _, _, text in rules]


def indexes(connection: sa.Connection, table: str, schema: str | None) -> list[dict[str, Any]]:
    """The indexes of a table that are no constraints."""
    query = (
        f"SELECT index_name, is_unique, expressions FROM duckdb_indexes() WHERE {_OF} ORDER BY 1"
    )
    return [
        {
            "name": name,
            "unique": unique,
            "column_names": columns_of(expressions),
            "dialect_options": {},
        }
        for name, unique, expressions in _all(connection, query, schema, table)
    ]


def columns_of(expressions: str) -> list[str | None]:
    """The columns of an index as DuckDB shows them; None for an expression.

    >>> columns_of("[a, '\\"B c\\"', '(a + 1)']")
    ['a', 'B c', None]
    """
    names: list[str | None] = []
    for part in expressions.strip("[]").split(", "):
        text = part.strip("'")
        if text.startswith('"') and text.endswith('"'):
            names.append(text[1:-1].replace('""', '"'))
        else:
            names.append(text if text.isidentifier() else None)
    return names


def _type(declared: str) -> Any:
    if declared.endswith("]"):
        return sa.types.NullType()
    return next((kind for name, kind in _TYPES if declared.startswith(name)), sa.types.NullType())


def _constraints(
    connection: sa.Connection, kind: str, table: str, schema: str | None
) -> list[tuple[Any, ...]]:
    query = (
        "SELECT constraint_name, constraint_column_names, referenced_table, "
        f"referenced_column_names, expression FROM duckdb_constraints() WHERE {_OF} "
        "AND constraint_type = ? ORDER BY constraint_index"
    )
    return _all(connection, query, schema, table, kind)


def _all(connection: sa.Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    cursor: Any = connection.connection.cursor()
    return list(cursor.execute(query, parameters).fetchall())
