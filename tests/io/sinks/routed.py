"""Records that go to several tables, and a stand-in for the steps that send them there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sinks.jobs.queue import SqlJobQueue
from sinks.ledger.accounts import accounts
from sinks.sql import SqlSink, Tables
from tests.fakes import apply
from tests.io.sinks.tested_database import Database
from tests.waiting import wait_until
from transforms.batch.backoff import Backoff
from transforms.batch.counts import Counts
from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import JSON, Failure, Record, RecordBatch, Span
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import Reject, RetryLater
from transforms.route.route import Route
from transforms.route.table_name import UNROUTED
from transforms.settle.sink import Settled
from transforms.steps.pipeline_identity import PipelineIdentity

PIPELINE = PipelineIdentity("router", ("Before", "Lines"))
AT_ONCE = RetryPolicy(Backoff(0.001, 0.001), max_attempts=20)

ORDERS = "CREATE TABLE orders (id integer PRIMARY KEY, n integer CHECK (n >= 0))"
# Its name is before that of the table that it refers to.
LINES = (
    "CREATE TABLE lines (id integer PRIMARY KEY, n integer CHECK (n >= 0), "
    "of_order integer REFERENCES orders (id))"
)
NOTES = "CREATE TABLE notes (id integer PRIMARY KEY, n integer)"


def sink_of(database: Database, *routes: Route, home: str = UNROUTED, **options: Any) -> SqlSink:
    """A sink for ``routes``, prepared."""
    config = database.config(home, **options)
    sink = SqlSink(
        config, AT_ONCE, run="first", pipeline=PIPELINE, tables=Tables.of(config, routes)
    )
    sink.prepare()
    return sink


def keyed(*tables: str) -> list[Route]:
    """A route to each table, by the key ``id``; a row that is there is updated."""
    return [Route(table, key=("id",), on_conflict="update") for table in tables]


def batch_of(*records: Any, start: int = 0, source: str = "file:///a") -> RecordBatch:
    """Records as they were read; a list is a message with several."""
    offsets: list[int] = []
    raws: list[bytes] = []
    elements: list[int | None] = []
    for offset, record in enumerate(records, start):
        for element in range(len(record)) if isinstance(record, list) else [None]:
            offsets.append(offset)
            raws.append(json.dumps(record if element is None else record[element]).encode())
            elements.append(element)
    several = any(isinstance(record, list) for record in records)
    return RecordBatch(
        *(Span(source, "p", start, start + len(records)), JSON, offsets, raws),
        elements=elements if several else None,
    )


@dataclass
class Steps:
    """The steps before the write. A record goes ``to`` tables; ``lines`` are records made of it.

    Attributes:
        away: The ids that a step cannot handle yet, before the routes.
        dropped: The ids that it leaves out.
        late: The ids that the mapping of a route refuses, with the table; they may heal.
    """

    away: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    late: set[tuple[int, str]] = field(default_factory=set)

    def applied(self, batch: RecordBatch) -> RecordBatch:
        batch = replace(batch, values=[json.loads(raw) for raw in batch.raws])
        return self._routed(apply(apply(batch, _lines, "Lines"), self._before, "Before"))

    def _before(self, record: Record) -> Any:
        if record.value["id"] in self.away:
            raise RetryLater("away")
        return None if record.value["id"] in self.dropped else record

    def _routed(self, batch: RecordBatch) -> RecordBatch:
        indices: list[int] = []
        values: list[Mapping[str, Any]] = []
        targets: list[str] = []
        expansions: list[Expansion] = []
        failures: list[Failure] = []
        for index, value in enumerate(batch.values or ()):
            record = batch.record(index)
            expansion = record.origin.expansion
            of = len(value["to"])
            tables: list[tuple[str, Expansion]] = [
                (name, (Branch(number, of, f"Route/{name}"),) if of > 1 else ())
                for number, name in enumerate(value["to"])
            ]
            if batch.ahead is not None and batch.ahead[index]:
                tables = [(expansion[-1].step.removeprefix("Route/"), ())]
            elif batch.claim is not None and batch.claim.target in value["to"]:
                tables = [(batch.claim.target, ())]
            if not tables:
                failures.append(Failure.of(record, "route", "no_route", Reject("nowhere")))
            for table, branches in tables:
                origin = replace(record.origin, expansion=(*expansion, *branches))
                if (value["id"], table) in self.late:
                    error = RetryLater("late")
                    failure = Failure.of(record, "map", "mapping", error, transient=True)
                    failures.append(replace(failure, origin=origin, target=table))
                    continue
                indices.append(index)
                values.append({name: value[name] for name in value if name not in ("to", "lines")})
                targets.append(table)
                expansions.append(origin.expansion)
        several = batch.expansions is not None or any(expansions)
        return replace(
            batch.keep(indices, values, failures),
            targets=targets,
            expansions=expansions if several else None,
            ahead=None,
        )


def _lines(record: Record) -> Any:
    lines = record.value.get("lines")
    return record if lines is None else [record.with_value(line) for line in lines]


def due(sink: SqlSink) -> Sequence[RecordBatch]:
    """All jobs that wait, claimed."""
    queue = SqlJobQueue(sink.config, pipeline=sink.pipeline)
    wait_until(lambda: (queue.due_in() or 0) <= 0, "a job that is due")
    return queue.claim(queue.lease(), BatchLimits())


def attempt(sink: SqlSink, steps: Steps) -> list[Settled]:
    """One attempt at all jobs that wait."""
    batches = [steps.applied(batch) for batch in due(sink)]
    return sink.commit(batches) if batches else []


def tables_of(database: Database) -> dict[str, dict[str, int]]:
    """The counts by table, without zeros, which add up and agree with the jobs of each table."""
    sums: dict[str, Counts] = {}
    for account in accounts(database.database):
        assert account.balanced
        assert account.added_up
        for table, counts in account.tables.items():
            assert counts.conserved, (table, counts)
            assert all(number >= 0 for _, number in counts), (table, counts)
            sums[table] = sums.get(table, Counts()) + counts
    jobs = "SELECT target, count(*) FROM ingest_jobs WHERE state {} GROUP BY target"
    waiting = dict(database.rows(jobs.format("IN ('available', 'scheduled', 'retryable')")))
    dead = dict(database.rows(jobs.format("IN ('discarded', 'cancelled')")))
    purged = dict(database.rows("SELECT target, sum(purged) FROM ingest_counts GROUP BY target"))
    for table, counts in sums.items():
        assert counts.retrying == waiting.get(table, 0), table
        assert counts.dead == dead.get(table, 0) + int(purged.get(table) or 0), table
    assert set(waiting) | set(dead) <= set(sums)
    return {
        table: {name: number for name, number in counts if number}
        for table, counts in sums.items()
        if counts != Counts()
    }


def of_run(settled: Sequence[Settled]) -> dict[str, Counts]:
    """What commits of a run add to its counts, by table; the sums are those of the whole."""
    sums: dict[str, Counts] = {}
    for part in settled:
        if part.by_target:
            assert sum(part.by_target.values(), Counts()) == part.counts
        for table, counts in part.by_target.items():
            assert counts.conserved, (table, counts)
            sums[table] = sums.get(table, Counts()) + counts
    return sums
