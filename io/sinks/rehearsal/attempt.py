"""Settle batches as a run would, in a rehearsal, and keep what came out of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sinks import targets
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.label import label_of
from sinks.rehearsal.rehearsal import rehearsal
from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from sinks.tables import default_schema
from sinks.text.quoting import quoted
from sinks.writers import writer_of
from transforms.batch.record import RecordBatch
from transforms.settle.sink import Settled
from transforms.steps.pipeline_identity import PipelineIdentity


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a write that was taken back has shown.

    Attributes:
        home: The label of the pipeline's own table, which counts are of that name no other.
        settled: What became of each batch.
        tables: The labels of the tables that were written, or that a run prepares.
        created: Those of them that do not exist.
        statements: The definitions that a run would execute, in order, those of Sluice's own tables
            too.
        sequences: By the name of each sequence that stays advanced: its last number before and after.
        triggers: By label, the triggers of the tables that exist.
        seconds: How long the rows took.
    """

    home: str
    settled: tuple[Settled, ...]
    tables: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    sequences: Mapping[str, tuple[int | None, int]] = field(default_factory=dict)
    triggers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: float = 0.0


def rehearsed(sink: SqlSink, database: Database) -> SqlSink:
    """``sink`` as it writes in the rehearsal whose database is ``database``.

    It writes for a pipeline of its own: nobody else uses the ledger and the locks of that, so that a
    run of the pipeline goes on meanwhile. It has nothing that reaches beyond the database.
    """
    tables = sink.tables
    if tables is not None:
        destinations = tuple(
            replace(each, config=_in(each.config, database)) for each in tables.destinations
        )
        tables = replace(tables, home=_in(tables.home, database), destinations=destinations)
    identity = sink.pipeline or PipelineIdentity()
    return replace(
        sink,
        config=_in(sink.config, database),
        tables=tables,
        pipeline=replace(identity, name=f"trial {database.rehearsal}"),
        dead_letters=None,
        budget=None,
        heartbeat=None,
        objects=None,
        controls=None,
    )


def attempt(sink: SqlSink, batches: Sequence[RecordBatch]) -> Attempt:
    """Prepare the tables of ``sink`` and settle ``batches``, all in one transaction that is taken back.

    Args:
        sink: As a run has it. Datasets of objects are left out.
        batches: None of whose records is for a dataset of objects, or comes from a claimed job.

    Raises:
        ConfigError: A table, key or options do not fit, or the database refuses.
        SinkUnavailable: The database cannot be reached.
        SinkFailed: The database refuses the write, and no record is to blame.
        TooLong: It was ended after its time.
        SluiceError: It was ended because it met a lock, or because others waited for it.
    """
    with rehearsal(sink.config.database) as trial:
        own = rehearsed(sink, trial.database)
        created = own.prepare()
        began = time.monotonic()
        settled = own.commit(batches)
        seconds = time.monotonic() - began
        connection = trial.connection
        dialect = dialect_of(connection)
        schema = default_schema(trial.database)
        labels = {label for each in settled for label in each.by_target}
        configs = {label_of(connection, each.table_name): each for each in _configs(own)}
        if own.tables is not None:
            configs |= {label: own.tables.use_of(label, schema).config for label in labels}
        new = {label_of(connection, each.table_name) for each in created}
        new |= {label for label, each in configs.items() if _is_defined(each, trial.statements)}
        rehearsing = dialect.rehearsing
        triggers = {
            label: names
            for label, config in sorted(configs.items())
            if rehearsing is not None
            and (names := rehearsing.triggers(connection, config.table_name))
        }
        home = label_of(connection, own.config.table_name)
    return Attempt(
        home=home,
        settled=tuple(settled),
        tables=tuple(sorted(configs)),
        created=tuple(sorted(new)),
        statements=tuple(trial.statements),
        sequences=trial.sequences,
        triggers=triggers,
        seconds=seconds,
    )


def look(sink: SqlSink) -> tuple[str, ...]:
    """Learn how the tables of ``sink`` are that exist; nothing is written.

    For a database in which nothing can be tried. What they expect of records is known afterwards
    (``SqlSink.fields``).

    Returns:
        The labels of those that do not exist.

    Raises:
        SinkFailed: A table does not fit the options.
        SinkUnavailable: The database cannot be reached.
    """
    database = sink.config.database
    with transaction(database, "look at its tables", write=False) as connection:
        writer = writer_of(connection)
        missing = []
        for config in _configs(sink):
            if writer.describe(connection, config.table_name) is None:
                missing.append(label_of(connection, config.table_name))
            else:
                targets.target_in(connection, config, writer)
    return tuple(missing)


def _configs(sink: SqlSink) -> list[SqlConfig]:
    """The tables that are known beforehand."""
    if sink.tables is not None:
        uses = sink.tables.known(default_schema(sink.config.database))
        return [use.config for use in uses.values()]
    return [sink.config] if sink.config.has_table else []


def _is_defined(config: SqlConfig, statements: Sequence[str]) -> bool:
    """Whether one of ``statements`` creates the table, as the writers of tables do."""
    start = f"CREATE TABLE IF NOT EXISTS {quoted(config.table_name)} ("
    return any(statement.startswith(start) for statement in statements)


def _in(config: SqlConfig, database: Database) -> SqlConfig:
    return replace(config, database=database)
