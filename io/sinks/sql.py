"""Settle batches in a SQL database: rows, dead letters and progress in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

import apache_beam as beam
import sqlalchemy as sa

from sinks import entries, failures, targets
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.entries import Overlap
from sinks.failures import Fate
from sinks.jobs import outcomes as job_outcomes
from sinks.jobs.store import job_number
from sinks.ledger import pipelines
from sinks.ledger.ledger import SqlLedger
from sinks.outbox import rows as outbox
from sinks.outbox.rows import ChangedTable, Effects
from sinks.runs.heartbeat import Heartbeat
from sinks.table.cells import with_typed_cells
from sinks.table.config import OnConflict, SqlConfig
from sinks.table.origin import without_ambiguous
from sinks.table.records import Records, Written, records_of
from sinks.table.rows import Poison
from sinks.table.target import Target
from sinks.work import Work, coverage_of_batches, plan
from sinks.writers import writer_of
from transforms.batch.counts import Counts
from transforms.batch.coverage import Ledger
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import CommitUnknown, ConfigError, Contention, SinkFailed, SinkUnavailable
from transforms.parse.hidden.paths import Hidden
from transforms.settle.dead_budget import DeadBudget, spending_of
from transforms.settle.dead_letters import DeadLetterSink
from transforms.settle.write import Settled, Write, WriteConfig
from transforms.steps.pipeline_identity import PipelineIdentity

__all__ = ["OnConflict", "SqlConfig", "SqlLedger", "SqlSink", "WriteToSql"]


OVERLAP_TRIES = 3  # attempts at a commit whose ranges other writers settle in the meantime


@dataclass(frozen=True, slots=True)
class SqlSink:
    """Writes batches to a table. Picklable; implements ``transforms.settle.write.Sink``.

    Attributes:
        config: Which database and table, and how.
        retry: When to retry a record whose step has no policy of its own.
        dead_letters: A second place for dead letters.
        run: Names the run in which retrying records are counted.
        budget: How many dead letters the run may make; None for any number.
        outbox: Whether every record that makes or changes a row leaves a row in the outbox.
        pipeline: The name and the steps of the pipeline that ends in this write, which the write
            cannot see. Failed records are kept for that pipeline. Without it they belong to
            nobody and wait until they are adopted.
        heartbeat: What each process that writes keeps up to date; None for a run that is not
            entered in ``ingest_runs``.
        hidden: The paths in a record as read that the pipeline hides before this write. Whoever
            looks at failed records of the table does not see them.
    """

    config: SqlConfig
    retry: RetryPolicy = RetryPolicy()  # noqa: RUF009 - frozen
    dead_letters: DeadLetterSink | None = None
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    outbox: bool = False
    budget: DeadBudget | None = None
    pipeline: PipelineIdentity | None = None
    heartbeat: Heartbeat | None = None
    hidden: Hidden = ()

    def prepare(self) -> bool:
        """Create what is missing and check the target, once, on the submitting machine.

        Returns:
            Whether the target table was created.

        Raises:
            ConfigError: The table, key or options do not fit, or the database refuses.
            SinkUnavailable: The database cannot be reached.
            Contention: The database kept asking for another try.
        """
        created = targets.prepare(self.config)
        version = None if self.pipeline is None else self.pipeline.version
        pipelines.register(self.config, self._name, self.hidden, version)
        return created

    @property
    def _name(self) -> str:
        """The name of the pipeline; empty for the label of the table."""
        return "" if self.pipeline is None else self.pipeline.name

    def fields(self) -> ExpectedFields:
        """What the table expects of the fields of records; known after ``prepare``."""
        target = targets.remembered(self.config)
        return ExpectedFields() if target is None else target.expected_fields

    def check_read(self, ledger: Ledger) -> None:
        """Refuse a read whose ledger is not the one that this sink writes.

        Raises:
            ConfigError: The read would look elsewhere for what is settled here.
        """
        if not isinstance(ledger, SqlLedger):
            return
        read = (ledger.config.database.url, ledger.config.table_name)
        if read == (self.config.database.url, self.config.table_name):
            table = str(self.config.table_name)
            if (ledger.pipeline or table) != (self._name or table):
                raise ConfigError(
                    f"ReadSplits asks the ledger of pipeline {ledger.pipeline or 'without a name'}, "
                    f"but WriteToSql settles for pipeline {self._name or 'without a name'}; give "
                    "SqlLedger and SqlSink the same name"
                )
        else:
            raise ConfigError(
                f"ReadSplits asks the ledger of table {ledger.config.table_name}, but WriteToSql "
                f"writes table {self.config.table}: neither would know what the other settles. Give "
                "both the same SqlConfig, and each table a pipeline of its own"
            )

    def begin(self) -> None:
        """Start the heartbeat of this process."""
        if self.heartbeat is not None:
            self.heartbeat.start()

    def job_of(self, failure: Failure) -> int | None:
        """The number of the job of a failure that this sink has settled; None if it cannot be told."""
        target = targets.remembered(self.config)
        read_by = self._name or ("" if target is None else target.label)
        return job_number(self.config.database, read_by, failure.origin)

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        """Yes: the ledger takes any range."""
        return True

    def commit(self, batches: Sequence[RecordBatch], *, isolate: bool = False) -> list[Settled]:
        """Settle ``batches`` in one transaction; see ``transforms.settle.write.Sink``.

        Raises:
            SinkUnavailable: The database cannot be reached. Nothing was written or, if it is
                ``CommitUnknown``, perhaps everything. Calling again is right in both cases.
            Contention: The transaction was rolled back, or other writers kept settling the
                same ranges.
            SinkFailed: The database refuses for a reason that is not a record's.
            DeadBudgetExceeded: Too many records would become dead letters; nothing was written.
        """
        altered = False  # whether it was, and the table has been looked at again
        for _ in range(OVERLAP_TRIES):
            try:
                return self._commit(batches, isolate, look_again=not altered)
            except Overlap:
                continue
            except _Altered:
                altered = True
            except SinkFailed:
                if altered or not targets.is_altered(self.config):
                    raise
                altered = True
        raise Contention(
            f"other writers kept settling the same ranges of {self.config.table}; trying again"
        )

    def _commit(
        self, batches: Sequence[RecordBatch], isolate: bool, *, look_again: bool
    ) -> list[Settled]:
        settled: list[Settled] = []
        spending = None if self.budget is None else spending_of(self.budget, self.run)
        try:
            with transaction(self.config.database, f"write {self.config.table}") as connection:
                dialect, writer = dialect_of(connection), writer_of(connection)
                target = targets.target_in(connection, self.config, writer)
                pipeline = self._name or target.label
                coverage = coverage_of_batches(connection, pipeline, batches)
                work = plan(batches, coverage, self._held(connection, target, batches))
                typed, schema = dialect.checks_types, self.config.schema
                for part in work:
                    if target.origin_key:
                        part.batch = without_ambiguous(part.batch)
                    part.batch = with_typed_cells(target, part.batch, typed=typed, schema=schema)
                records = records_of(
                    connection.dialect,
                    target,
                    [part.batch for part in work],
                    isolate=isolate,
                    effects=self.outbox,
                )
                written = writer.write(connection, target, records)
                if look_again and targets.is_outdated(
                    connection, self.config, writer, target, written.poison
                ):
                    raise _Altered
                if written.effects:
                    effects = _effects(written, records, work)
                    outbox.insert(connection, _changed_table(target), effects)
                _assign(written.poison, records, work)
                for part in work:
                    part.decide(self.retry)
                fates = [fate for part in work for fate in part.fates]
                failures.store(connection, pipeline, target.label, fates, self.run, self.pipeline)
                results = [
                    _settled(part, inserted, updated, self.run)
                    for part, inserted, updated in zip(
                        work, written.inserted, written.updated, strict=True
                    )
                ]
                if spending is not None:
                    spending.check(results)
                entries.record(connection, pipeline, target.label, work, results, self.run)
                self._deliver(target, fates)
                settled = results  # only the COMMIT is left
        except SinkUnavailable as error:
            if not settled:
                raise
            unknown = CommitUnknown(str(error))
            unknown.settled = settled
            raise unknown from error
        if spending is not None:
            spending.spend(settled)
        writer.committed(target, written)
        if self.heartbeat is not None:
            self.heartbeat.settled(settled)
        return settled

    def _held(
        self, connection: sa.Connection, target: Target, batches: Sequence[RecordBatch]
    ) -> set[str]:
        """The claims of ``batches`` that this process still holds; their jobs become completed."""
        claims = [batch.claim for batch in batches if batch.claim is not None]
        if not claims:
            return set()
        return job_outcomes.complete(connection, target.label, claims, self.pipeline)

    def _deliver(self, target: Target, fates: Sequence[Fate]) -> None:
        """Hand the dead letters on before the commit: after it, a crash would lose them."""
        dead = [fate.failure for fate in fates if fate.is_dead]
        if dead and self.dead_letters is not None:
            self.dead_letters.deliver(target.label, dead)


class WriteToSql(beam.PTransform):
    """Upsert every record by its key; failures and progress in the same transaction.

    Takes ``RecordBatch`` elements and returns, after their commit, the outputs ``settled``,
    ``dead`` and ``retry`` of ``transforms.settle.write.Write``, which documents what is raised.

    A write cannot see the steps before it. Give it a ``SqlSink`` with their labels (``pipeline``)
    to keep failed records for that pipeline. Otherwise they belong to nobody until they are
    adopted.
    """

    def __init__(self, sink: SqlSink | SqlConfig, write: WriteConfig | None = None) -> None:
        super().__init__()
        self._sink = SqlSink(sink) if isinstance(sink, SqlConfig) else sink
        self._write = write

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return batches | "Sql" >> Write(self._sink, self._write)


class _Altered(Exception):
    """The table has been altered, and records were refused for what it was."""


def _changed_table(target: Target) -> ChangedTable:
    keyed = () if target.origin_key else target.key
    types = {column.name: column.type for column in target.columns if column.name in keyed}
    return ChangedTable(target.label, target.key, types, target.whole_payload)


def _effects(written: Written, records: Records, work: Sequence[Work]) -> Effects:
    """What the outbox keeps, in the order of the records."""
    effects = Effects()
    expanded = any(part.batch.expansions is not None for part in work)
    for index in sorted(written.effects):
        number, position = records.place_of(index)
        batch = work[number].batch
        effects.operations.append(written.effects[index])
        effects.values.append(records.values[index])
        effects.sources.append(batch.span.source)
        effects.partitions.append(batch.span.partition)
        effects.offsets.append(batch.offsets[position])
        effects.elements.append(None if batch.elements is None else batch.elements[position])
        if expanded:
            effects.expansions.append(
                () if batch.expansions is None else batch.expansions[position]
            )
    return effects


def _assign(poison: Sequence[Poison], records: Records, work: Sequence[Work]) -> None:
    """Turn poison into failures of the batch that each record came with."""
    for refusal in sorted(poison, key=lambda refusal: refusal.index):
        number, position = records.place_of(refusal.index)
        part = work[number]
        part.poison.append(refusal.failure_of(part.batch.record(position)))


def _settled(work: Work, inserted: int, updated: int, run: str) -> Settled:
    batch = work.batch
    attempts = batch.claim.attempts.values() if batch.claim is not None else ()
    again = sum(attempt.run == run for attempt in attempts)
    expanded = batch.expanded
    dead = tuple(fate.failure for fate in work.fates if fate.is_dead)
    retry = tuple(fate.failure for fate in work.fates if not fate.is_dead)
    return Settled(
        span=batch.span,
        counts=Counts(
            read=batch.read - expanded - again,
            expanded=expanded,
            inserted=inserted,
            updated=updated,
            duplicates=len(batch.raws) - inserted - updated - len(work.poison),
            filtered=len(batch.filtered),
            dead=len(dead),
            retrying=len(retry) - again,
        ),
        trimmed=work.trimmed,
        attempts=len(attempts),
        again=again,
        failed_again=work.failed_again,
        raw_bytes=work.raw_bytes,
        dead=dead,
        retry=retry,
    )
