"""The target table of a configuration: created if it is missing, checked, and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.database.catalogue.figures import Need
from sinks.database.classify import classify
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS, dialect_for, exists, retried, transaction
from sinks.database.label import label_of
from sinks.database.migrations import migrate
from sinks.order.write import rules_of
from sinks.table import layouts
from sinks.table.config import SqlConfig
from sinks.table.layouts import Layout
from sinks.table.names import check_names
from sinks.table.rows import Poison
from sinks.table.schema import new_columns, whole_records
from sinks.table.target import Column, Description, Target, key_of, target_of
from sinks.table.writer import TableWriter
from sinks.text.quoting import quote, quoted
from sinks.writers import writer_of
from transforms.errors import ConfigError, SinkFailed, SluiceError
from transforms.parse.columns.columnar import ColumnForms
from transforms.per_process import PerProcess
from transforms.throttle import Throttle


@dataclass(slots=True)
class _Memory:
    """The target of one configuration as this process last saw it, or why it cannot be created."""

    target: Target | None = None
    refusal: str = ""


_MEMORIES: PerProcess[SqlConfig, _Memory] = PerProcess(lambda _: _Memory())


_DEPTHS: PerProcess[Database, dict[SqlConfig, int]] = PerProcess(lambda _: {})

LACK_OF_RIGHT = "42501"
"""The code of a refusal that is about the role, not about the table."""

SHOWN = 10  # columns in a message

# What a table that was altered may refuse, or take, other than the one that is remembered.
_MAY_BE_OUTDATED = frozenset({"unknown_field", "data", "constraint"})

# A look takes several queries. A stream of bad records must stay cheap, also if each of them has
# a field of another name: fields share a few turns.
LOOKS: Throttle[tuple[SqlConfig, str, int]] = Throttle(0.5)
"""Grants a look at the table for refusals of one kind."""
_TURNS = 16


def prepare(database: Database, configs: Sequence[SqlConfig]) -> list[SqlConfig]:
    """Create what is missing in ``database``, and check and remember the targets of ``configs``.

    Returns:
        Those whose tables were created.

    Raises:
        ConfigError: A table, key or options do not fit, or the database refuses.
        SinkUnavailable: The database cannot be reached.
        Contention: The database kept asking for another try.
    """
    for config in configs:
        _refuse(config)
    migrate.prepare(database)
    return [config for config in configs if _create(config)]


def to_be_created(config: SqlConfig) -> Target | None:
    """The target as ``prepare`` will create it; None if it is there, or must be.

    Raises:
        ConfigError: The key or the schema do not fit, or the database refuses.
        SinkUnavailable: The database cannot be reached.
    """
    if config.create == "never":
        return None
    if exists(config.database):
        doing = f"look for {config.table}"
        with transaction(config.database, doing, write=False, refused=ConfigError) as connection:
            if writer_of(connection).describe(connection, config.table_name) is not None:
                return None
    key = key_of(config, None)
    columns = tuple(Column(column.name, column.type) for column in new_columns(config))
    described = Description(columns, (frozenset(key),))
    return target_of(config, config.table, described, whole_payload=whole_records(config))


def create(config: SqlConfig) -> bool:
    """Create and remember a target whose name has come from a record, if it is missing.

    The transaction is its own. The ledger and its other tables are there. What was refused is tried
    again at most once in half a second.

    Returns:
        Whether the table was created.

    Raises:
        ConfigError: The name or the table does not fit.
        SinkFailed: The role has no right to create it, whatever its name.
        SinkUnavailable: The database cannot be reached.
        Contention: The database kept asking for another try.
    """
    memory = _MEMORIES.get(config)
    if memory.refusal and not LOOKS.take_turn((config, "create", 0)):
        raise ConfigError(memory.refusal)
    try:
        _refuse(config)
        created = _create(config)
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, DATABASE_ERRORS) and classify(cause).sqlstate == LACK_OF_RIGHT:
            raise SinkFailed(str(error)) from error
        memory.refusal = str(error)
        raise
    memory.refusal = ""
    return created


def _create(config: SqlConfig) -> bool:
    # Altering a table may deadlock with programs that are at work.
    target, created = retried(lambda: _prepare(config))
    _MEMORIES.get(config).target = target
    return created


def _refuse(config: SqlConfig) -> None:
    """Refuse a table that cannot be created, before anything is."""
    doing = f"prepare {config.table}"
    never = ConfigError(f"table {config.table_name} does not exist, and --create is never")
    if config.create == "never" and not exists(config.database):
        raise never
    with transaction(config.database, doing, write=False, refused=ConfigError) as connection:
        missing = writer_of(connection).describe(connection, config.table_name) is None
        if missing and config.create == "never":
            raise never
        names = (column.name for column in (new_columns(config) if missing else ()))
        check_names(config, names, *dialect_of(connection).longest_name(connection))
        if config.on_delete == "delete" and not missing:
            _refuse_without_right(connection, config)


def _refuse_without_right(connection: sa.Connection, config: SqlConfig) -> None:
    """Refuse a table of which the role may delete no rows, where rows are to be deleted.

    Raises:
        ConfigError: The role lacks the right.
    """
    table = quoted(config.table_name)
    if dialect_of(connection).lacking(connection, [Need("DELETE", table)], ""):
        role = connection.engine.url.username or ""
        who = f"role {role}" if role else "this role"
        raise ConfigError(
            f"{who} lacks DELETE on table {config.table_name}, which --on_delete delete needs; run: GRANT "
            f"DELETE ON {table} TO {quote(role) if role else '…'}, or give --on_delete mark:COLUMN"
        )


def _prepare(config: SqlConfig) -> tuple[Target, bool]:
    doing = f"prepare {config.table}"
    with transaction(config.database, doing, refused=ConfigError) as connection:
        writer = writer_of(connection)
        # Two submitters at once would collide in the catalogue.
        dialect_of(connection).lock(connection, [("", "prepare")])
        table = config.table_name
        description = writer.describe(connection, table)
        missing = description is None
        label = label_of(connection, table)
        if missing:
            writer.create(connection, table, new_columns(config), key_of(config, None))
            description = writer.describe(connection, table)
            layout: Layout = "record" if whole_records(config) else "fields"
            layouts.keep_created(connection, label, layout, description)
        target = _checked(connection, config, description)
        layouts.keep_existing(connection, label, "record" if target.whole_payload else "fields")
        return target, missing


def remembered(config: SqlConfig) -> Target | None:
    """The target as this process last saw it, or None if it has not seen it yet."""
    return _MEMORIES.get(config).target


def column_forms(config: SqlConfig, looks: object = None) -> ColumnForms | None:
    """How records for the target are read; None if each is looked at by itself, or it is not known.

    Args:
        config: Of the target.
        looks: What looks at single records; false if nothing does.
    """
    target = None if looks else remembered(config)
    if target is None:
        return None
    return target.column_forms(dialect_for(config.database).written_json)


def target_in(connection: sa.Connection, config: SqlConfig, writer: TableWriter) -> Target:
    """The target, remembered or, the first time, as ``writer`` describes it.

    Raises:
        SinkFailed: The table does not fit ``config``.
    """
    memory = _MEMORIES.get(config)
    if memory.target is None:
        memory.target = _seen(connection, config, writer)
    return memory.target


def in_order(
    connection: sa.Connection, writer: TableWriter, configs: Sequence[SqlConfig]
) -> list[int]:
    """The places of ``configs`` in the order in which every process writes their tables.

    What a table refers to comes before it. How deep each lies in the graph of foreign keys is
    remembered until a table is looked at again.
    """
    if len(configs) < 2:
        return list(range(len(configs)))
    depths = _DEPTHS.get(configs[0].database)
    if any(config not in depths for config in configs):
        # Of all at once: they are of one catalogue.
        names = [config.table_name for config in configs]
        depths.update(zip(configs, writer.depths(connection, names), strict=True))
    ranks = [
        (depths[config], label_of(connection, config.table_name), place)
        for place, config in enumerate(configs)
    ]
    return [place for *_, place in sorted(ranks)]


def is_outdated(
    connection: sa.Connection,
    config: SqlConfig,
    writer: TableWriter,
    target: Target,
    poison: Iterable[Poison],
) -> bool:
    """Whether records were refused because the table has been altered; it is then looked at anew.

    At most once in half a second for the same unknown fields, and for values and constraints.

    Args:
        connection: In the transaction that refused them.
        config: Which target.
        writer: The writer for the connection.
        target: As it was remembered.
        poison: The records.

    Raises:
        SinkFailed: The table does not fit ``config`` any more.
    """
    reasons = {
        (bad.category, hash(bad.message) % _TURNS if bad.category == "unknown_field" else 0)
        for bad in poison
        if bad.category in _MAY_BE_OUTDATED
    }
    turns = [LOOKS.take_turn((config, *reason)) for reason in reasons]
    if not any(turns):
        return False
    current = _seen(connection, config, writer)
    _MEMORIES.get(config).target = current
    forget_order(config.database)
    return current != target


def forget_order(database: Database) -> None:
    """Forget how deep the tables lie: foreign keys may be others now."""
    _DEPTHS.pop(database)


def is_altered(config: SqlConfig) -> bool:
    """Whether the table, which has just refused a whole write, is not the remembered one.

    If that cannot be told now, the table is looked at again next time.
    """
    memory = _MEMORIES.get(config)
    before = memory.target
    doing = f"describe {config.table}"
    try:
        with transaction(config.database, doing, write=False) as connection:
            memory.target = _seen(connection, config, writer_of(connection))
    except SluiceError:
        forget(config)
        return False
    forget_order(config.database)
    return before is not None and memory.target != before


def shape_of(config: SqlConfig) -> str:
    """The first columns of the target and their types; known after ``prepare``."""
    target = remembered(config)
    columns = [] if target is None else [f"{c.name} {c.type}".strip() for c in target.columns]
    return ", ".join([*columns[:SHOWN], *(["…"] if len(columns) > SHOWN else [])])


def _seen(connection: sa.Connection, config: SqlConfig, writer: TableWriter) -> Target:
    """The target as it is now.

    Raises:
        SinkFailed: The table does not fit ``config``.
    """
    description = writer.describe(connection, config.table_name)
    try:
        return _checked(connection, config, description)
    except ConfigError as error:
        raise SinkFailed(str(error)) from error


def forget(config: SqlConfig) -> None:
    """Forget the target: the table may have been altered."""
    _MEMORIES.pop(config)


def _checked(
    connection: sa.Connection, config: SqlConfig, description: Description | None
) -> Target:
    label = label_of(connection, config.table_name)
    layout = layouts.layout_of(connection, label, key_of(config, description), description)
    target = target_of(config, label, description, whole_payload=layout == "record")
    if target.ordered:
        rules_of(target, typed=dialect_of(connection).checks_types)
    return target
