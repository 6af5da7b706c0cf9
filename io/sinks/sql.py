"""Settle batches in a SQL database: rows, dead letters and progress in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from sinks import jobs, ledger
from sinks.classify import classify
from sinks.config import OnConflict, SqlConfig
from sinks.databases import dialect_of
from sinks.dialect import Dialect, Records
from sinks.engine import DATABASE_ERRORS, transaction
from sinks.ledger import SqlLedger
from sinks.progress import Counts, Partition, Settlement, coverage_of, missing, trimmed
from sinks.rows import Poison
from sinks.schema import new_columns
from sinks.tables import metadata
from sinks.target import ORIGIN_COLUMNS, Target, target_of
from transforms.coverage import Coverage, Range, merge
from transforms.errors import ConfigError, Contention, SinkFailed
from transforms.record import Failure, RecordBatch
from transforms.write import Settled

__all__ = ["OnConflict", "SqlConfig", "SqlLedger", "SqlSink"]

OVERLAP_TRIES = 3  # how often a commit that another writer forestalled is trimmed again

_lock = threading.Lock()
_targets: dict[SqlConfig, Target] = {}


@dataclass(slots=True)
class _Work:
    """What is left of one batch once the ledger has been asked.

    Attributes:
        batch: The batch, trimmed.
        gaps: The ranges it settles; None when the ledger has it whole.
        trimmed: How many records the ledger had.
    """

    batch: RecordBatch
    gaps: list[Range] | None
    trimmed: int
    poison: list[Failure] = field(default_factory=list)


class _Overlap(Exception):
    """Another writer settled some of these ranges since the transaction began."""


@dataclass(frozen=True, slots=True)
class SqlSink:
    """Writes batches to a table. Picklable; implements ``transforms.write.Sink``."""

    config: SqlConfig

    def prepare(self) -> None:
        """Create what is missing and check the target, once, on the submitting machine.

        Raises:
            ConfigError: The table, key or options do not fit, or the database refuses.
            SinkUnavailable: The database cannot be reached.
            Contention: The database asks for another try.
        """
        with transaction(self.config, refused=ConfigError) as connection:
            dialect = dialect_of(self.config, connection)
            # Two submitters at once would collide in the catalogue.
            dialect.lock(connection, [("", "prepare")])
            metadata.create_all(connection)
            table = self.config.table_name
            found = dialect.describe(connection, table)
            if found is None:
                key = self.config.key or ORIGIN_COLUMNS
                dialect.create(connection, table, new_columns(self.config), key)
                found = dialect.describe(connection, table)
            target = target_of(self.config, ledger.label_of(connection, self.config), found)
        with _lock:
            _targets[self.config] = target

    def commit(self, batches: Sequence[RecordBatch]) -> list[Settled]:
        """Settle ``batches`` in one transaction; see ``transforms.write.Sink``.

        Raises:
            SinkUnavailable: The database cannot be reached; nothing was written, or the
                commit's fate is unknown. Calling again is right in both cases.
            Contention: The transaction was rolled back, or other writers kept settling the
                same ranges.
            SinkFailed: The database refuses for a reason that is no record's.
        """
        for _ in range(OVERLAP_TRIES):
            try:
                return self._commit(batches)
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

    def _commit(self, batches: Sequence[RecordBatch]) -> list[Settled]:
        with transaction(self.config) as connection:
            dialect = dialect_of(self.config, connection)
            target = self._target(connection, dialect)
            known = _coverage(connection, target, batches)
            work = _plan(batches, known)
            records = _records(target, work)
            written = dialect.write(connection, target, records)
            _assign(written.poison, records, work)
            failures = [f for each in work for f in (*each.batch.failures, *each.poison)]
            jobs.insert_failures(connection, target.label, failures)
            settled = [
                _settled(each, inserted, updated)
                for each, inserted, updated in zip(
                    work, written.inserted, written.updated, strict=True
                )
            ]
            _record(connection, dialect, target, work, settled)
        dialect.committed(target, written)
        return settled

    def _target(self, connection: sa.Connection, dialect: Dialect) -> Target:
        with _lock:
            target = _targets.get(self.config)
        if target is None:
            found = dialect.describe(connection, self.config.table_name)
            try:
                target = target_of(self.config, ledger.label_of(connection, self.config), found)
            except ConfigError as error:
                raise SinkFailed(str(error)) from error
            with _lock:
                _targets[self.config] = target
        return target


def _coverage(
    connection: sa.Connection, target: Target, batches: Sequence[RecordBatch]
) -> dict[Partition, Coverage]:
    rows = ledger.settlements(connection, target.label, map(_partition, batches))
    return {partition: coverage_of(found) for partition, found in rows.items()}


def _plan(batches: Sequence[RecordBatch], known: Mapping[Partition, Coverage]) -> list[_Work]:
    """Trim each batch to what neither the ledger nor an earlier batch has."""
    seen = dict(known)
    work = []
    for batch in batches:
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


def _records(target: Target, work: Sequence[_Work]) -> Records:
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
            cells = ([each.batch.span.source] * count, [each.batch.span.partition] * count)
            for name, column in zip(ORIGIN_COLUMNS, (*cells, each.batch.offsets), strict=True):
                origin[name].extend(column)
    return Records(values, origin, starts)


def _assign(poison: Sequence[Poison], records: Records, work: Sequence[_Work]) -> None:
    """Turn poison into failures of the batch that each record came with."""
    for each in sorted(poison, key=lambda each: each.index):
        batch = records.batch_of(each.index)
        record = work[batch].batch.record(each.index - records.starts[batch])
        failure = Failure.of(record, "write", each.category, each.error, sqlstate=each.sqlstate)
        work[batch].poison.append(replace(failure, message=each.message))


def _settled(work: _Work, inserted: int, updated: int) -> Settled:
    batch = work.batch
    failures = (*batch.failures, *work.poison)
    return Settled(
        span=batch.span,
        read=batch.read,
        inserted=inserted,
        updated=updated,
        duplicates=len(batch.raws) - inserted - updated - len(work.poison),
        filtered=len(batch.filtered),
        trimmed=work.trimmed,
        raw_bytes=sum(map(len, batch.raws)) + sum(len(f.raw) for f in batch.failures),
        dead=tuple(f for f in failures if not f.transient),
        retry=tuple(f for f in failures if f.transient),
    )


def _record(
    connection: sa.Connection,
    dialect: Dialect,
    target: Target,
    work: Sequence[_Work],
    settled: Sequence[Settled],
) -> None:
    """Enter what was settled into the ledger, unless another writer has done so meanwhile."""
    news = [
        (_partition(each.batch), _settlement(each, done))
        for each, done in zip(work, settled, strict=True)
        if each.gaps is not None
    ]
    if not news:
        return
    places = sorted({partition for partition, _ in news})
    dialect.lock(connection, [(target.label, *place) for place in places])
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
