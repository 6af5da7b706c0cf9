"""Identifiers as they are written in SQL: always quoted, whatever they hold."""

from __future__ import annotations

from sinks.text.table_name import TableName


def quote(name: str) -> str:
    """A quoted identifier of standard SQL (PostgreSQL and SQLite).

    >>> quote('we"ird')
    '"we""ird"'
    """
    return '"' + name.replace('"', '""') + '"'


def quoted(table: TableName) -> str:
    """A table's quoted name, with its schema where it has one."""
    return (
        quote(table.name) if table.schema is None else f"{quote(table.schema)}.{quote(table.name)}"
    )
