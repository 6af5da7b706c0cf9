"""What a target's columns are: the fields of its records, or the key and the whole record.

A table of the user's may have a key and a column ``payload`` as ours has, so its columns cannot
tell. ``ingest_targets`` keeps it from the first run on: only a table that this program made
without a schema takes the whole record.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Literal

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import progress, targets
from sinks.table.target import PAYLOAD, Description

Layout = Literal["fields", "record"]


def keep_made(
    connection: sa.Connection, label: str, layout: Layout, made: Description | None
) -> None:
    """Remember the layout of a table that has just been made."""
    connection.execute(sa.delete(targets).where(targets.c.target == label))
    _keep(connection, label, layout, _columns(made))


def keep_found(connection: sa.Connection, label: str, layout: Layout) -> None:
    """Remember the layout of a table that was there, if none is remembered."""
    if _kept(connection, label) is None:
        _keep(connection, label, layout, "")


def layout_of(
    connection: sa.Connection, label: str, key: Collection[str], found: Description | None
) -> Layout:
    """The layout of a table that is there.

    Args:
        connection: To its database.
        label: Its name in the ledger.
        key: Its key columns.
        found: What the database says of it.
    """
    if found is None or {column.name for column in found.columns} != {*key, PAYLOAD}:
        return "fields"
    kept = _kept(connection, label)
    if kept is None:
        # Versions that remembered nothing gave every such table the whole record. Those that they
        # wrote to have rows in the ledger; a table that is new to this program has none.
        used = sa.select(progress.c.target).where(progress.c.target == label).limit(1)
        return "fields" if connection.execute(used).first() is None else "record"
    layout, columns = kept
    # With other columns than it was made with, it is another table of that name.
    same = columns in ("", _columns(found))
    return "record" if layout == "record" and same else "fields"


def _kept(connection: sa.Connection, label: str) -> tuple[str, str] | None:
    """Its layout, and its columns if this program made it."""
    if not sa.inspect(connection).has_table(targets.name):
        return None
    query = sa.select(targets.c.layout, targets.c.columns).where(targets.c.target == label)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.layout, row.columns)


def _keep(connection: sa.Connection, label: str, layout: Layout, columns: str) -> None:
    row = {
        "target": label,
        "layout": layout,
        "columns": columns,
        "since": dialect_of(connection).now(connection),
    }
    connection.execute(sa.insert(targets), row)


def _columns(found: Description | None) -> str:
    return json.dumps([[column.name, column.type] for column in found.columns] if found else [])
