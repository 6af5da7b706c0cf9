"""The statement that gives a table a unique key, for whoever has to run it."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from sinks.text.quoting import quote
from transforms.route.table_name import TableName

UNKNOWN = "…"
"""Stands for columns that only the reader knows."""


def unique_statement(
    table: TableName, columns: Sequence[str], dialect: sa.Dialect | None = None
) -> str:
    """What makes ``columns`` of ``table`` a unique key.

    Args:
        table: The table.
        columns: The key; empty if it is not known.
        dialect: In whose SQL; None for standard SQL.

    >>> unique_statement(TableName("Orders", "app"), ["Id"])
    'ALTER TABLE "app"."Orders" ADD UNIQUE ("Id")'
    """
    quoted = quote if dialect is None else dialect.identifier_preparer.quote_identifier
    schema = "" if table.schema is None else f"{quoted(table.schema)}."
    listed = ", ".join(map(quoted, columns)) or UNKNOWN
    if isinstance(dialect, SQLiteDialect):  # whose ALTER TABLE adds no constraint
        index = quoted("_".join((table.name, *columns, "key")))
        return f"CREATE UNIQUE INDEX {schema}{index} ON {quoted(table.name)} ({listed})"
    return f"ALTER TABLE {schema}{quoted(table.name)} ADD UNIQUE ({listed})"
