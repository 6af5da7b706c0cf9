"""The name of a pipeline's own table, as the tables beside it have it."""

from __future__ import annotations

from sinks import targets
from sinks.table.config import SqlConfig


def own_table(config: SqlConfig) -> str:
    """The label of the table, however it is spelt; before it is prepared, its name."""
    target = targets.remembered(config)
    return str(config.table_name) if target is None else target.label
