"""What a target's columns hold: the fields of its records, or the key and the whole record.

The columns alone cannot tell: a user's own table may have a key and a column ``payload`` as well.
So ``ingest_targets`` remembers it from the first run on. Only a table that this program created
without a schema takes the whole record.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Literal

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import counts, targets
from sinks.table.target import PAYLOAD, Description

Layout = Literal["fields", "record"]


def keep_created(
    connection: sa.Connection, label: str, layout: Layout, description: Description | None
) -> None:
    """Remember the layout of a table that has just been created."""
    connection.execute(sa.delete(targets).where(targets.c.target == label))
    _keep(connection, label, layout, _columns(description))


def keep_existing(connection: sa.Connection, label: str, layout: Layout) -> None:
    """Remember the layout of a table that was there already, unless one is remembered."""
    if _remembered(connection, label) is None:
        _keep(connection, label, layout, "")


def layout_of(
    connection: sa.Connection, label: str, key: Collection[str], description: Description | None
) -> Layout:
    """The layout of an existing table.

    Args:
        connection: To its database.
        label: Its name in the ledger.
        key: Its key columns.
        description: As the database describes it; None if there is no such table.
    """
    if description is None or {column.name for column in description.columns} != {*key, PAYLOAD}:
        return "fields"
    memory = _remembered(connection, label)
    if memory is None:
        # Versions that remembered nothing wrote the whole record to every such table. The tables
        # that they wrote to have rows in the ledger; a table that is new to this program has not.
        used = sa.select(counts.c.target).where(counts.c.target == label).limit(1)
        return "fields" if connection.execute(used).first() is None else "record"
    layout, columns = memory
    # With other columns than it was created with, it is another table of that name.
    same = columns in ("", _columns(description))
    return "record" if layout == "record" and same else "fields"


def _remembered(connection: sa.Connection, label: str) -> tuple[str, str] | None:
    """Its layout, and its columns if this program created it."""
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


def _columns(description: Description | None) -> str:
    columns = description.columns if description else ()
    return json.dumps([[column.name, column.type] for column in columns])
