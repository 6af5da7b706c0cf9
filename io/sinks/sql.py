"""Settle batches in a SQL database: rows, dead letters and progress in one transaction."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from sinks.database import upgrade
from sinks.database.classify import classify
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS, retried, transaction
from sinks.database.label import label_of
from sinks.database.tables import COUNTS
from sinks.jobs import outcomes as job_outcomes
from sinks.jobs import store as jobs
from sinks.ledger import ledger
from sinks.ledger import moves as ledger_moves
from sinks.ledger.ledger import SqlLedger
from sinks.ledger.ranges import (
    Counts,
    Partition,
    Settlement,
    coverage_of,
    emptied,
    missing,
    trimmed,
)
from sinks.outbox import rows as outbox
from sinks.outbox.rows import ChangedTable, Effects
from sinks.table import databases, layouts
from sinks.table.cells import with_typed_cells
from sinks.table.config import OnConflict, SqlConfig
from sinks.table.dialect import Dialect, Records, Written
from sinks.table.layouts import Layout
from sinks.table.rows import Poison
from sinks.table.schema import new_columns
from sinks.table.target import ORIGIN_COLUMNS, Description, Target, target_of
from sinks.text.encoding import all_escaped
from transforms.batch.coverage import Coverage, Ledger, Range, merge
from transforms.batch.record import Attempt, Failure, RecordBatch
from transforms.batch.retry_policy import Next, RetryPolicy
from transforms.errors import CommitUnknown, ConfigError, Contention, SinkFailed, SinkUnavailable
from transforms.settle.dead_letters import DeadLetterSink
from transforms.settle.write import Settled
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import may_heal

__all__ = ["OnConflict", "SqlConfig", "SqlLedger", "SqlSink"]


OVERLAP_TRIES = 3  # how often a commit that another writer forestalled is trimmed again

_lock = threading.Lock()
_targets: dict[SqlConfig, Target] = {}


@dataclass(slots=True)
class _Work:
    """What is left of one batch once the ledger, or the queue of jobs, has been asked.

    Attributes:
        batch: The batch, trimmed.
        gaps: The ranges it settles; None when it settles none: the ledger has it whole, or
            its records are jobs.
        trimmed: How many records had been settled before.
        poison: Records that the database refused.
        following: What follows on each failure, those of earlier steps first.
    """

    batch: RecordBatch
    gaps: list[Range] | None
    trimmed: int
    poison: list[Failure] = field(default_factory=list)
    following: list[tuple[Failure, Next]] = field(default_factory=list)

    def attempt(self, offset: int) -> Attempt | None:
        """The attempt that the record at ``offset`` is, where it is one."""
        return None if self.batch.claim is None else self.batch.claim.attempts[offset]

    @property
    def dead(self) -> list[Failure]:
        """The failures that become dead letters."""
        return [failure for failure, following in self.following if following.state == "discarded"]


class _Overlap(Exception):
    """Another writer settled some of these ranges since the transaction began."""


@dataclass(frozen=True, slots=True)
class SqlSink:
    """Writes batches to a table. Picklable; implements ``transforms.settle.write.Sink``.

    Attributes:
        config: Which database and table, and how.
        retry: When a record is tried again whose step has no policy of its own.
        dead_letters: A second place for dead letters.
        run: Names the run in which what is retrying is counted.
        outbox: Whether every record that makes or changes a row leaves a row in the outbox.
        pipeline: The name and the steps of the pipeline that this write ends, which a write cannot
            see. Records that fail are kept for that pipeline; without one, for nobody: they wait
            until they are adopted.
    """

    config: SqlConfig
    retry: RetryPolicy = RetryPolicy()  # noqa: RUF009 - frozen
    dead_letters: DeadLetterSink | None = None
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    outbox: bool = False
    pipeline: PipelineIdentity | None = None

    def prepare(self) -> None:
        """Create what is missing and check the target, once, on the submitting machine.

        Raises:
            ConfigError: The table, key or options do not fit, or the database refuses.
            SinkUnavailable: The database cannot be reached.
            Contention: The database kept asking for another try.
        """
        # A table that is altered may meet programs at work in a ring of locks.
        retried(self._prepare)

    def _prepare(self) -> None:
        with transaction(
            self.config.database, f"prepare {self.config.table}", refused=ConfigError
        ) as connection:
            dialect = databases.dialect_of(connection)
            # Two submitters at once would collide in the catalogue.
            dialect_of(connection).lock(connection, [("", "prepare")])
            upgrade.create_tables(connection)
            table = self.config.table_name
            label = label_of(connection, self.config.table_name)
            key = self.config.key or ORIGIN_COLUMNS
            found = dialect.describe(connection, table)
            if found is None:
                dialect.create(connection, table, new_columns(self.config), key)
                found = dialect.describe(connection, table)
                made: Layout = "record" if self.config.schema is None else "fields"
                layouts.keep_made(connection, label, made, found)
            target = _described(connection, self.config, found)
            layouts.keep_found(connection, label, "record" if target.whole_payload else "fields")
        with _lock:
            _targets[self.config] = target

    def fields(self) -> frozenset[str]:
        """The fields of which every record is to have at least one; after ``prepare``.

        None are named where a record without them may be welcome all the same.
        """
        with _lock:
            target = _targets.get(self.config)
        if target is None:
            return frozenset()
        if target.whole_payload or target.unknown_fields != "reject":
            return frozenset(self.config.key)
        return frozenset(column.name for column in target.columns) - set(ORIGIN_COLUMNS)

    def commit(self, batches: Sequence[RecordBatch], *, isolate: bool = False) -> list[Settled]:
        """Settle ``batches`` in one transaction; see ``transforms.settle.write.Sink``.

        Raises:
            SinkUnavailable: The database cannot be reached; nothing was written, or, when it is
                ``CommitUnknown``, perhaps everything. Calling again is right in both cases.
            Contention: The transaction was rolled back, or other writers kept settling the
                same ranges.
            SinkFailed: The database refuses for a reason that is no record's.
        """
        for _ in range(OVERLAP_TRIES):
            settled: list[Settled] = []
            try:
                self._commit(batches, isolate, settled)
                return settled
            except SinkUnavailable as error:
                if not settled:
                    raise
                unknown = CommitUnknown(str(error))
                unknown.settled = settled
                raise unknown from error
            except _Overlap:
                continue
            except SinkFailed:
                # The table may have been altered; look at it again next time.
                with _lock:
                    _targets.pop(self.config, None)
                raise
        raise Contention(
            f"other writers kept settling the same ranges of {self.config.table}; trying again"
        )

    def _commit(
        self, batches: Sequence[RecordBatch], isolate: bool, settled: list[Settled]
    ) -> None:
        """Settle ``batches``; says in ``settled`` what a commit makes of them, just before it."""
        with transaction(self.config.database, f"write {self.config.table}") as connection:
            dialect = databases.dialect_of(connection)
            target = self._target(connection, dialect)
            known = _coverage(connection, target, batches)
            work = _plan(batches, known, self._held(connection, target, batches))
            for each in work:
                each.batch = with_typed_cells(
                    target,
                    each.batch,
                    typed=dialect_of(connection).checks_types,
                    schema=self.config.schema,
                )
            records = _records(
                connection.dialect, target, work, isolate=isolate, effects=self.outbox
            )
            written = dialect.write(connection, target, records)
            if written.effects:
                outbox.insert(connection, _changed_table(target), _effects(written, records, work))
            _assign(written.poison, records, work)
            self._decide(work)
            self._store(connection, target, work)
            made = [
                _settled(each, inserted, updated, self.run)
                for each, inserted, updated in zip(
                    work, written.inserted, written.updated, strict=True
                )
            ]
            _record(connection, target, work, made)
            self._deliver(target, work)
            settled += made
        dialect.committed(target, written)

    def check_read(self, ledger: Ledger) -> None:
        """Refuse a read whose ledger is not the one that this sink writes.

        Raises:
            ConfigError: What is settled here would be asked for elsewhere.
        """
        if not isinstance(ledger, SqlLedger):
            return
        read = (ledger.config.database.url, ledger.config.table_name)
        if read != (self.config.database.url, self.config.table_name):
            raise ConfigError(
                f"ReadSplits asks the ledger of table {ledger.config.table_name}, but WriteToSql writes "
                f"table {self.config.table}: what one settles, the other would never know. Give "
                "both the same SqlConfig, and each table a pipeline of its own"
            )

    def _held(
        self, connection: sa.Connection, target: Target, batches: Sequence[RecordBatch]
    ) -> set[str]:
        """The claims of ``batches`` that are still ours; their jobs are marked as completed."""
        claims = [batch.claim for batch in batches if batch.claim is not None]
        if not claims:
            return set()
        return job_outcomes.complete(connection, target.label, claims, self.pipeline)

    def _decide(self, work: Sequence[_Work]) -> None:
        """Say of each failure whether and when its record is tried again."""
        for each in work:
            for failure in (*each.batch.failures, *each.poison):
                attempt = each.attempt(failure.origin.offset)
                following = (failure.retry or self.retry).next(
                    1 if attempt is None else attempt.number,
                    may_heal=may_heal(failure, self.retry),
                    snooze=failure.snooze,
                    max_attempts=None if attempt is None else attempt.max_attempts,
                )
                each.following.append((failure, following))

    def _store(self, connection: sa.Connection, target: Target, work: Sequence[_Work]) -> None:
        """Make jobs of what failed for the first time; enter what failed again."""
        first: list[tuple[Failure, Next, int]] = []
        again: list[tuple[Attempt, Failure, Next]] = []
        for each in work:
            for failure, following in each.following:
                attempt = each.attempt(failure.origin.offset)
                if attempt is None:
                    limit = (failure.retry or self.retry).max_attempts
                    first.append((failure, following, limit))
                else:
                    again.append((attempt, failure, following))
        jobs.insert_failures(connection, target.label, first, self.run, self.pipeline)
        job_outcomes.fail(connection, again, self.run)

    def _deliver(self, target: Target, work: Sequence[_Work]) -> None:
        """Hand the dead letters on before the commit: after it, a crash would lose them."""
        dead = [failure for each in work for failure in each.dead]
        if dead and self.dead_letters is not None:
            self.dead_letters.deliver(target.label, dead)

    def _target(self, connection: sa.Connection, dialect: Dialect) -> Target:
        with _lock:
            target = _targets.get(self.config)
        if target is None:
            found = dialect.describe(connection, self.config.table_name)
            try:
                target = _described(connection, self.config, found)
            except ConfigError as error:
                raise SinkFailed(str(error)) from error
            with _lock:
                _targets[self.config] = target
        return target


def _described(connection: sa.Connection, config: SqlConfig, found: Description | None) -> Target:
    label = label_of(connection, config.table_name)
    layout = layouts.layout_of(connection, label, config.key or ORIGIN_COLUMNS, found)
    return target_of(config, label, found, whole_payload=layout == "record")


def _coverage(
    connection: sa.Connection, target: Target, batches: Sequence[RecordBatch]
) -> dict[Partition, Coverage]:
    places = [_partition(batch) for batch in batches if batch.claim is None]
    rows = ledger.settlements(connection, target.label, places)
    return {partition: coverage_of(found) for partition, found in rows.items()}


def _plan(
    batches: Sequence[RecordBatch], known: Mapping[Partition, Coverage], held: Collection[str]
) -> list[_Work]:
    """Trim each batch to what neither the ledger nor an earlier batch has; jobs must be held."""
    seen = dict(known)
    ours = set(held)
    work = []
    for batch in batches:
        if batch.claim is not None:
            if batch.claim.id in ours:
                ours.remove(batch.claim.id)
                work.append(_Work(batch, None, 0))
            else:
                work.append(_Work(emptied(batch), None, batch.read))
            continue
        place = _partition(batch)
        coverage = seen.get(place, Coverage())
        gaps = missing(batch.span, coverage)
        part, outside = trimmed(batch, gaps or ())
        work.append(_Work(part, gaps, outside))
        if gaps is not None:
            ranges = merge((*coverage.ranges, (batch.span.start, batch.span.end)))
            end = batch.span.end if batch.span.final else coverage.end
            seen[place] = Coverage(ranges, end)
    return work


def _records(
    dialect: sa.Dialect, target: Target, work: Sequence[_Work], *, isolate: bool, effects: bool
) -> Records:
    values: list[Mapping[str, Any]] = []
    starts = []
    for each in work:
        starts.append(len(values))
        if each.batch.raws:
            assert each.batch.values is not None, "batches are parsed before they are written"  # noqa: S101
            values.extend(each.batch.values)
    origin: dict[str, list[Any]] = {}
    if target.origin_key:
        origin = {name: [] for name in ORIGIN_COLUMNS}
        for each in work:
            count = len(each.batch.raws)
            names = (each.batch.span.source, each.batch.span.partition)
            cells = ([name] * count for name in all_escaped(dialect, names))
            for name, column in zip(ORIGIN_COLUMNS, (*cells, each.batch.offsets), strict=True):
                origin[name].extend(column)
    return Records(values, origin, starts, isolate, effects)


def _changed_table(target: Target) -> ChangedTable:
    keyed = () if target.origin_key else target.key
    types = {column.name: column.type for column in target.columns if column.name in keyed}
    return ChangedTable(target.label, target.key, types, target.whole_payload)


def _effects(written: Written, records: Records, work: Sequence[_Work]) -> Effects:
    """What the outbox keeps, in the order of the records."""
    effects = Effects()
    for index in sorted(written.effects):
        number = records.batch_of(index)
        batch = work[number].batch
        effects.operations.append(written.effects[index])
        effects.values.append(records.values[index])
        effects.sources.append(batch.span.source)
        effects.partitions.append(batch.span.partition)
        effects.offsets.append(batch.offsets[index - records.starts[number]])
    return effects


def _assign(poison: Sequence[Poison], records: Records, work: Sequence[_Work]) -> None:
    """Turn poison into failures of the batch that each record came with."""
    for each in sorted(poison, key=lambda each: each.index):
        batch = records.batch_of(each.index)
        record = work[batch].batch.record(each.index - records.starts[batch])
        failure = Failure.of(
            record,
            "write",
            each.category,
            each.error,
            sqlstate=each.sqlstate,
            transient=each.transient,
        )
        work[batch].poison.append(replace(failure, message=each.message))


def _settled(work: _Work, inserted: int, updated: int, run: str) -> Settled:
    batch = work.batch
    attempts = batch.read if batch.claim is not None else 0
    again = sum(each.run == run for each in batch.claim.attempts.values()) if batch.claim else 0
    return Settled(
        span=batch.span,
        read=batch.read - again,
        inserted=inserted,
        updated=updated,
        duplicates=len(batch.raws) - inserted - updated - len(work.poison),
        filtered=len(batch.filtered),
        trimmed=work.trimmed,
        attempts=attempts,
        again=again,
        raw_bytes=sum(map(len, batch.raws)) + sum(len(f.raw) for f in batch.failures),
        dead=tuple(work.dead),
        retry=tuple(f for f, following in work.following if following.state != "discarded"),
    )


def _record(
    connection: sa.Connection,
    target: Target,
    work: Sequence[_Work],
    settled: Sequence[Settled],
) -> None:
    """Enter what was settled into the ledger, unless another writer has done so meanwhile."""
    moves = _moves(work, settled)
    news = [
        (_partition(each.batch), _settlement(each, done))
        for each, done in zip(work, settled, strict=True)
        if each.gaps is not None
    ]
    if not news and not moves:
        return
    # All at once: locks that are taken one after another could be waited for in a ring.
    places = sorted({partition for partition, _ in news})
    both = sorted({*places, *moves})
    dialect_of(connection).lock(connection, [(target.label, *place) for place in both])
    before = ledger.settlements(connection, target.label, places)
    for each in work:
        coverage = coverage_of(before.get(_partition(each.batch), ()))
        for gap in each.gaps or ():
            if coverage.gaps(*gap) != [gap]:
                raise _Overlap
    try:
        ledger.record(connection, target.label, before, news)
    except DATABASE_ERRORS as error:
        # Where no lock holds others off, two writers meet in the ledger's primary key.
        if classify(error).kind == "record":
            raise _Overlap from error
        raise
    ledger_moves.move(connection, target.label, moves)


def _moves(work: Sequence[_Work], settled: Sequence[Settled]) -> dict[Partition, dict[str, int]]:
    """What became of jobs, which the ledger has as retrying."""
    moves: dict[Partition, dict[str, int]] = {}
    for each, done in zip(work, settled, strict=True):
        if not done.attempts:
            continue
        deltas = moves.setdefault(_partition(each.batch), dict.fromkeys(COUNTS, 0))
        deltas["inserted"] += done.inserted
        deltas["updated"] += done.updated
        deltas["duplicates"] += done.duplicates
        deltas["filtered"] += done.filtered
        deltas["dead"] += len(done.dead)
        deltas["retrying"] += len(done.retry) - done.attempts
    return moves


def _settlement(work: _Work, settled: Settled) -> Settlement:
    span = work.batch.span
    return Settlement(
        span.start,
        span.end,
        span.final,
        Counts(
            settled.read,
            settled.inserted,
            settled.updated,
            settled.duplicates,
            settled.filtered,
            len(settled.dead),
            len(settled.retry),
        ),
    )


def _partition(batch: RecordBatch) -> Partition:
    return batch.span.source, batch.span.partition
