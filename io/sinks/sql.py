"""Settle batches in a SQL database: rows, dead letters and progress in one transaction."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import apache_beam as beam
import sqlalchemy as sa

from sinks import entries, failures, footprints, shares, targets
from sinks.control import dead_pause
from sinks.control.polling import SqlControls
from sinks.database.classify import is_deadlock
from sinks.database.dialects import dialect_of
from sinks.database.engine import exists, transaction
from sinks.database.label import label_of, no_table
from sinks.entries import Overlap
from sinks.evolution.demand import Demand
from sinks.evolution.waiting import put_off
from sinks.jobs import outcomes as job_outcomes
from sinks.jobs.store import job_number
from sinks.ledger import pipelines
from sinks.ledger.ledger import SqlLedger
from sinks.object_intents import give_up
from sinks.runs.heartbeat import Heartbeat
from sinks.table.config import OnConflict, SqlConfig
from sinks.tables import Tables, check_routes, default_schema, use_of
from sinks.tallies import settled_of
from sinks.work import coverage_of_batches, plan
from sinks.writers import writer_of
from transforms import instruments
from transforms.batch.coverage import Ledger
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import CommitUnknown, ConfigError, Contention, SinkFailed, SinkUnavailable
from transforms.metrics import MetricName
from transforms.parse.columns.columnar import ColumnForms
from transforms.parse.hidden.paths import Hidden
from transforms.route.table_name import UNROUTED
from transforms.settle.dead_budget import DeadBudget, spending_of
from transforms.settle.dead_letters import DeadLetterSink
from transforms.settle.flight import Aside, Footprint, Turn
from transforms.settle.sink import Settled
from transforms.settle.write import Write, WriteConfig
from transforms.steps.pipeline_identity import PipelineIdentity

if TYPE_CHECKING:
    from sinks.object_datasets import Objects
    from sinks.object_shares import ObjectShares

__all__ = ["OnConflict", "SqlConfig", "SqlLedger", "SqlSink", "Tables", "WriteToSql"]

OVERLAP_TRIES = 3  # attempts at a commit whose ranges other writers settle in the meantime


@dataclass(frozen=True, slots=True)
class SqlSink:
    """Writes batches to tables. Picklable; implements ``transforms.settle.write.Sink``.

    Attributes:
        config: Which database, the pipeline's own table, and how it is written.
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
        tables: The tables that routes send records to, all in the same database: one transaction
            writes them with the ledger. None where all records are for the pipeline's own table.
        objects: The datasets of objects that records go to, too; None for none.
        controls: What operators ask of the pipeline, which a budget that pauses asks for as well.
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
    tables: Tables | None = None
    objects: Objects | None = None
    controls: SqlControls | None = None

    def prepare(self) -> tuple[SqlConfig, ...]:
        """Create what is missing and check the targets, once, on the submitting machine.

        Tables whose names come from records are created too, as far as their names are listed.

        Returns:
            How each table that was created is written.

        Raises:
            ConfigError: The table, key or options do not fit, or the database refuses.
            SinkUnavailable: The database cannot be reached.
            Contention: The database kept asking for another try.
        """
        configs = [self.config] if self.config.has_table else []
        if self.tables is not None:
            if self.config.create == "never" and not exists(self.config.database):
                raise ConfigError(f"{self.config.database} does not exist, and --create is never")
            schema = default_schema(self.config.database)
            configs = self.tables.configs(schema)
        elif not configs and self.objects is None:
            raise no_table(self.config.table)
        if self.config.table == UNROUTED and not self._name:
            raise ConfigError(
                "without a table of its own, a pipeline needs a name; give --pipeline"
            )
        created = targets.prepare(self.config.database, configs)
        datasets = self._datasets
        if datasets is not None:
            datasets.check_labels([config.table for config in configs])
            datasets.prepare(self.config.database)
        version = None if self.pipeline is None else self.pipeline.version
        pipelines.register(self.config, self._name, self.hidden, version)
        return tuple(created)

    @property
    def _name(self) -> str:
        """The name of the pipeline; empty for the label of the table."""
        return "" if self.pipeline is None else self.pipeline.name

    def fields(self, label: str = "") -> ExpectedFields:
        """What a table expects of the fields of records; known after ``prepare``.

        Args:
            label: The table; empty for the pipeline's own.

        Raises:
            ConfigError: No route sends records to it.
            SinkUnavailable: The database cannot be reached.
        """
        config = self.config
        if label and self.tables is not None:
            config = use_of(self.tables, label, default_schema(config.database)).config
        target = targets.remembered(config)
        return ExpectedFields() if target is None else target.expected_fields

    def column_forms(self) -> ColumnForms | None:
        """How records that come here as they are are read; None where each is looked at by itself."""
        return targets.column_forms(self.config, self.outbox or self.tables or self.objects)

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
                "both the same SqlConfig; several tables take routes and one write, RouteToSql "
                "(docs/routes.md), or a ReadSplits and a pipeline for each"
            )

    def begin(self) -> None:
        """Start the heartbeat of this process."""
        if self.heartbeat is not None:
            self.heartbeat.start()

    def job_of(self, failure: Failure) -> int | None:
        """The number of the job of a failure that this sink has settled; None if it cannot be told."""
        target = targets.remembered(self.config)
        label = self.config.table if target is None else target.label
        read_by = self._name or label
        return job_number(self.config.database, read_by, failure.origin)

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        """Yes for tables: the ledger takes any range. Objects are to replace what a crash has left."""
        if self.objects is None:
            return True
        from sinks.object_ranges import ends_within  # with pyarrow, which tables do not need

        return not ends_within(self.config, self._name, batches)

    def in_flight(self) -> int:
        """As many as the database takes to advantage; one where objects are written."""
        return footprints.in_flight(self.config.database) if self.objects is None else 1

    def footprint(self, batches: Sequence[RecordBatch]) -> Footprint | None:
        """The keys of the rows of ``batches``; nothing where the database alone keeps commits apart."""
        if self.in_flight() == 1:
            return None
        return footprints.footprint_of(self.config, self.tables, self._name, batches)

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Turn | None = None,
    ) -> list[Settled]:
        """Settle ``batches`` in one transaction; see ``transforms.settle.write.Sink``.

        Raises:
            SinkUnavailable: The database cannot be reached. Nothing was written or, if it is
                ``CommitUnknown``, perhaps everything. Calling again is right in both cases.
            Contention: The transaction was rolled back, or other writers kept settling the
                same ranges.
            SinkFailed: The database refuses for a reason that is not a record's.
            DeadBudgetExceeded: Too many records would become dead letters; nothing was written.
            Aside: With ``turn``, a table is to change before.
        """
        altered = False  # whether it was, and the table has been looked at again
        for _ in range(OVERLAP_TRIES):
            try:
                return self._commit(batches, isolate, turn, look_again=not altered)
            except Overlap:
                continue
            except shares.Altered:
                altered = True
            except Demand as demand:
                if turn is not None:
                    raise Aside(partial(self._carry_out, demand)) from demand
                self._carry_out(demand)
                return self.commit(batches, isolate=isolate)
            except SinkFailed:
                if altered or not shares.are_altered(
                    self.config, self.tables, batches, self._elsewhere
                ):
                    raise
                altered = True
            except Contention as error:
                if is_deadlock(error.__cause__):
                    instruments.add("deadlocks", 1)
                targets.forget_order(self.config.database)
                raise
        raise Contention(
            f"other writers kept settling the same ranges of {self.config.table}; trying again"
        )

    def _commit(
        self,
        batches: Sequence[RecordBatch],
        isolate: bool,
        turn: Turn | None = None,
        *,
        look_again: bool,
    ) -> list[Settled]:
        settled: list[Settled] = []
        began = time.monotonic()
        spending = None if self.budget is None else spending_of(self.budget, self.run)
        elsewhere = self._elsewhere
        unusable = shares.unusable(self.tables, self.config.database, batches, elsewhere)
        objects = self._written_objects(batches)
        try:
            with transaction(self.config.database, self._doing) as connection:
                writer = writer_of(connection)
                home = label_of(connection, self.config.table_name)
                schema = connection.dialect.default_schema_name
                pipeline = self._name or home
                coverage = coverage_of_batches(connection, pipeline, batches)
                work = plan(batches, coverage, self._held(connection, home, batches))
                if objects is not None:
                    objects.check(work)
                of_tables = shares.shares_of(
                    connection, writer, self.config, self.tables, work, unusable, elsewhere
                )
                for share in of_tables:
                    share.isolate, share.effects = isolate, self.outbox
                    share.write(connection, writer)
                    share.judge(connection, writer, began, look_again=look_again)
                    share.settle(connection, work)
                if objects is not None:
                    objects.account(work)
                wait = self.config.schema_wait
                for part in work:
                    part.poison = put_off(connection, part.poison, part.batch.claim, wait)
                    part.decide(self.retry, home, schema)
                fates = [fate for part in work for fate in part.fates]
                groups = failures.store(connection, pipeline, home, fates, self.run, self.pipeline)
                if turn is not None:
                    turn(lambda: dialect_of(connection).is_awaited(connection))
                failures.complete(connection, home, fates, groups, self.run)
                results = [settled_of(part, home, self.run) for part in work]
                if spending is not None and not spending.budget.pauses:
                    spending.check(results)
                entries.record(connection, pipeline, home, work, results, self.run)
                if objects is not None:
                    objects.settle(connection, pipeline, work)
                failures.deliver(self.dead_letters, home, fates)
                settled = results  # only the COMMIT is left
        except SinkUnavailable as error:
            if not settled:
                raise
            unknown = CommitUnknown(str(error))
            unknown.settled = settled
            raise unknown from error
        if spending is not None:
            dead_pause.spend(spending, settled, self.controls)
        if not self.config.database.rehearsal:
            for share in of_tables:
                share.committed(writer)
        if self.heartbeat is not None:
            self.heartbeat.settled(settled)
        if self.objects is not None and objects is not None:
            self.objects.publish_now_and_then(self.config.database)
        return settled

    def _written_objects(self, batches: Sequence[RecordBatch]) -> ObjectShares | None:
        """The objects of a commit, written before its transaction; None without any."""
        datasets = self._datasets
        if datasets is None:
            return None
        from sinks.object_shares import written_objects  # with pyarrow, which tables do not need

        return written_objects(datasets, self.config, self._name, batches)

    def finish(self) -> None:
        """Publish all that is settled as objects, and give up the intents that are over.

        Raises:
            SinkUnavailable: The state or a store cannot be reached.
            Contention: Other writers kept publishing.
            SinkFailed: A store refuses, or a manifest is gone.
        """
        if self.objects is not None:
            self.objects.publish(self.config.database)
            give_up(self.config, self._name)

    @property
    def _elsewhere(self) -> frozenset[str]:
        """The labels of datasets: their records are for no table."""
        datasets = self._datasets
        return frozenset() if datasets is None else frozenset(datasets.by_label)

    @property
    def _datasets(self) -> Objects | None:
        """``objects`` by the labels that records have."""
        if self.objects is None:
            return None
        return self.objects.in_schema(default_schema(self.config.database))

    @property
    def _doing(self) -> str:
        return f"write {self.config.table}" if self.tables is None else "write tables"

    def _held(
        self, connection: sa.Connection, home: str, batches: Sequence[RecordBatch]
    ) -> set[str]:
        """The claims of ``batches`` that this process still holds; their jobs become completed."""
        claims = [batch.claim for batch in batches if batch.claim is not None]
        if not claims:
            return set()
        return job_outcomes.complete(connection, home, claims, self.pipeline)

    def _carry_out(self, demand: Demand) -> Mapping[MetricName, int]:
        """Change a table; what this process knows of it is new then."""
        changed = demand.carry_out(writer_of, self._name, self.run)
        targets.is_altered(demand.config)
        return changed


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
        if self._sink.tables is not None:
            check_routes(batches, self._sink.tables)
        return batches | "Sql" >> Write(self._sink, self._write)
