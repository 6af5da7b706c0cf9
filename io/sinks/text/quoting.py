"""Identifiers and texts as SQL writes them: always quoted, whatever they contain."""

from __future__ import annotations

from transforms.route.table_name import TableName


def quote(name: str) -> str:
    """A quoted identifier of standard SQL (PostgreSQL and SQLite).

    >>> quote('we"ird')
    '"we""ird"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a literal of PostgreSQL, where a statement takes no parameters.

    What a text of PostgreSQL cannot hold is left out (NUL) or replaced (half of a character).

    >>> literal("it's \\\\")
    "E'it''s \\\\\\\\'"
    """
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def quoted(table: TableName) -> str:
    """A table's quoted name, with its schema if it has one."""
    return (
        quote(table.name) if table.schema is None else f"{quote(table.schema)}.{quote(table.name)}"
    )
