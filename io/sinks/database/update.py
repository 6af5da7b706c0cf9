"""Change many rows at once, each to values of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Row


def update_each(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Give the row with each ``id`` its other values.

    Args:
        connection: In a transaction that writes.
        table: With a primary key ``id``.
        rows: By column, all with the same columns.
    """
    if rows:
        statement = _statement(table, tuple(name for name in rows[0] if name != "id"))
        connection.execute(
            statement, [{f"to_{name}": value for name, value in row.items()} for row in rows]
        )


@lru_cache
def _statement(table: sa.Table, names: tuple[str, ...]) -> sa.Update:
    # Parameters named as columns would be taken for values of these columns.
    values: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in names}
    return sa.update(table).where(table.c.id == sa.bindparam("to_id")).values(values)
