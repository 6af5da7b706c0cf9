"""Change a table in a transaction of its own, with an entry in the audit trail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS, transaction
from sinks.database.label import label_of
from sinks.evolution.naming import Names, shown
from sinks.evolution.refusals import Refusals
from sinks.evolution.survey import MOST_COLUMNS, Wanted, as_type
from sinks.jobs import audit_trail
from sinks.table.config import SqlConfig
from sinks.table.target import Column
from sinks.table.writer import TableWriter
from transforms import instruments
from transforms.errors import Contention, SinkFailed

_log = logging.getLogger(__name__)

LOCK_WAIT = 2
"""Seconds that a change waits for the table: whoever comes to the table waits behind it."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes a table, for the audit trail.

    Attributes:
        actor: The process, or the run.
        pipeline: Its name.
        run: The run.
        origins: By column, where the first record is from that asked for it.
    """

    actor: str
    pipeline: str
    run: str
    origins: Mapping[str, str]


@dataclass(slots=True)
class Changes:
    """What was done, and what was not.

    Attributes:
        added: The type of each new column.
        widened: The new type of each column whose type was changed.
        statements: The SQL of both.
        refused: Why something was not done, by its name among refusals.
    """

    added: dict[str, str] = field(default_factory=dict)
    widened: dict[str, str] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def evolve(
    config: SqlConfig,
    writer_of: Callable[[sa.Connection], TableWriter],
    wanted: Wanted,
    refusals: Refusals,
    author: Author,
) -> Changes:
    """Change the table of ``config`` as far as the database lets us.

    No other transaction of this process that writes the table may be open: it would be waited for.
    What another process has done meanwhile is left as it is. Refusals are remembered and logged.

    Args:
        config: The table.
        writer_of: The writer for a connection.
        wanted: What it is to become.
        refusals: Those of the table.
        author: Who changes it.

    Raises:
        SinkUnavailable: The database cannot be reached; what was done is not known.
    """
    try:
        with transaction(config.database, f"change {config.table}") as connection:
            changes = _change(connection, writer_of(connection), config, wanted, author)
    except (SinkFailed, Contention) as error:
        changes = Changes(refused=dict.fromkeys(_names(wanted), str(error)))
    _remember(config, wanted, refusals, changes, author)
    return changes


def _change(
    connection: sa.Connection,
    writer: TableWriter,
    config: SqlConfig,
    wanted: Wanted,
    author: Author,
) -> Changes:
    dialect, table = dialect_of(connection), config.table_name
    for statement in dialect.lock_wait(LOCK_WAIT):
        connection.exec_driver_sql(statement)
    label = label_of(connection, table)
    dialect.lock(connection, [(f"evolve {label}",)])
    description = writer.describe(connection, table)
    if description is None:
        raise SinkFailed(f"table {table} does not exist any more")
    columns = {column.name: column for column in description.columns}
    names = Names(*dialect.longest_name(connection))
    names.take(columns)
    work = _Work(connection, writer, config, Changes())
    for column in wanted.columns:
        if column.name in columns:
            continue
        fault = names.fault(column.name)
        if not fault and len(columns) + len(work.changes.added) >= MOST_COLUMNS:
            fault = f"the table would have more than {MOST_COLUMNS:,} columns"
        if fault:
            work.changes.refused[column.name] = fault
        elif work.tried(column.name, partial(writer.add_column, connection, table, column)):
            names.take((column.name,))
            work.changes.added[column.name] = column.type
    for name, values in wanted.widen.items():
        if name in columns:
            work.widen(columns[name], values)
    changes = work.changes
    if changes.statements:
        done = {**changes.added, **changes.widened}
        audit_trail.enter(
            connection,
            "evolve",
            actor=author.actor,
            reason="; ".join(changes.statements),
            which={
                "table": label,
                "pipeline": author.pipeline or label,
                "run": author.run,
                "columns": list(done),
                "first": next((author.origins[n] for n in done if n in author.origins), ""),
            },
            count=len(done),
        )
    return changes


@dataclass(frozen=True, slots=True)
class _Work:
    connection: sa.Connection
    writer: TableWriter
    config: SqlConfig
    changes: Changes

    def tried(self, name: str, change: Callable[[], str]) -> bool:
        """Whether the database lets ``change`` be made; otherwise nothing of it is.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: Or the driver's: it asks for another try, or is away.
        """
        # A database that commits whatever was done before it changes a table has no savepoint any more.
        commits = dialect_of(self.connection).commits_tables
        try:
            with nullcontext() if commits else self.connection.begin_nested():
                statement = change()
        except DATABASE_ERRORS as error:
            verdict = classify(error)
            if verdict.kind in ("transient", "outage"):
                raise
            code = f" [{verdict.sqlstate}]" if verdict.sqlstate else ""
            self.changes.refused[name] = f"{verdict.message}{code}"
            return False
        self.changes.statements.append(statement)
        return True

    def widen(self, column: Column, values: list[Any]) -> None:
        wider = self.writer.widened(column, values)
        if wider is None:
            return  # another process was faster
        change = partial(wider.change, self.connection, self.config.table_name)
        if self.tried(as_type(column.name), change):
            self.changes.widened[column.name] = wider.type


def _names(wanted: Wanted) -> list[str]:
    """What is wanted, by its names among refusals."""
    return [*(column.name for column in wanted.columns), *map(as_type, wanted.widen)]


def _remember(
    config: SqlConfig, wanted: Wanted, refusals: Refusals, changes: Changes, author: Author
) -> None:
    for name in _names(wanted):
        if name not in changes.refused:
            refusals.forget(name)
    for name, reason in changes.refused.items():
        if refusals.refuse(name, reason):
            what = "type of column" if name.startswith("\x00") else "column"
            _log.warning(
                "table %s: %s %s stays as it is, and records wait for it: %s",
                config.table,
                what,
                shown(name.removeprefix("\x00")),
                reason,
            )
    for done, verb in ((changes.added, "added"), (changes.widened, "widened")):
        for name, kind in done.items():
            origin = author.origins.get(name, "")
            _log.info(
                "table %s: %s column %s (%s), first for %s",
                *(config.table, verb, shown(name), kind, origin),
            )
        if done:
            instruments.add("columns_changed", len(done), config.table, verb)
