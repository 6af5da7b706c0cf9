"""Identifiers as SQL writes them: always quoted, whatever they contain."""

from __future__ import annotations

from transforms.route.table_name import TableName


def quote(name: str) -> str:
    """A quoted identifier of standard SQL (PostgreSQL and SQLite).

    >>> quote('we"ird')
    '"we""ird"'
    """
    return '"' + name.replace('"', '""') + '"'


def quoted(table: TableName) -> str:
    """A table's quoted name, with its schema if it has one."""
    return (
        quote(table.name) if table.schema is None else f"{quote(table.schema)}.{quote(table.name)}"
    )
