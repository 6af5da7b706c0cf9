"""The target table of a configuration: created if it is missing, checked, and remembered."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from sinks.database import upgrade
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.label import label_of
from sinks.table import layouts
from sinks.table.config import SqlConfig
from sinks.table.layouts import Layout
from sinks.table.schema import new_columns
from sinks.table.target import ORIGIN_COLUMNS, Description, Target, target_of
from sinks.table.writer import TableWriter
from sinks.writers import writer_of
from transforms.errors import ConfigError, SinkFailed
from transforms.per_process import PerProcess


@dataclass(slots=True)
class _Memory:
    """The target of one configuration as this process last saw it."""

    target: Target | None = None


_MEMORIES: PerProcess[SqlConfig, _Memory] = PerProcess(lambda _: _Memory())


def prepare(config: SqlConfig) -> None:
    """Create what is missing, and check and remember the target.

    Raises:
        ConfigError: The table, key or options do not fit, or the database refuses.
        SinkUnavailable: The database cannot be reached.
        Contention: The database kept asking for another try.
    """
    # Altering a table may deadlock with programs that are at work.
    _MEMORIES.get(config).target = retried(lambda: _prepare(config))


def _prepare(config: SqlConfig) -> Target:
    doing = f"prepare {config.table}"
    with transaction(config.database, doing, refused=ConfigError) as connection:
        writer = writer_of(connection)
        # Two submitters at once would collide in the catalogue.
        dialect_of(connection).lock(connection, [("", "prepare")])
        upgrade.create_tables(connection)
        table = config.table_name
        label = label_of(connection, table)
        description = writer.describe(connection, table)
        if description is None:
            writer.create(connection, table, new_columns(config), config.key or ORIGIN_COLUMNS)
            description = writer.describe(connection, table)
            layout: Layout = "record" if config.schema is None else "fields"
            layouts.keep_created(connection, label, layout, description)
        target = _checked(connection, config, description)
        layouts.keep_existing(connection, label, "record" if target.whole_payload else "fields")
        return target


def remembered(config: SqlConfig) -> Target | None:
    """The target as this process last saw it, or None if it has not seen it yet."""
    return _MEMORIES.get(config).target


def target_in(connection: sa.Connection, config: SqlConfig, writer: TableWriter) -> Target:
    """The target, remembered or, the first time, as ``writer`` describes it.

    Raises:
        SinkFailed: The table does not fit ``config``.
    """
    memory = _MEMORIES.get(config)
    if memory.target is None:
        description = writer.describe(connection, config.table_name)
        try:
            memory.target = _checked(connection, config, description)
        except ConfigError as error:
            raise SinkFailed(str(error)) from error
    return memory.target


def forget(config: SqlConfig) -> None:
    """Forget the target: the table may have been altered."""
    _MEMORIES.pop(config)


def _checked(
    connection: sa.Connection, config: SqlConfig, description: Description | None
) -> Target:
    label = label_of(connection, config.table_name)
    layout = layouts.layout_of(connection, label, config.key or ORIGIN_COLUMNS, description)
    return target_of(config, label, description, whole_payload=layout == "record")
