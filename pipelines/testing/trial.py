"""Run records through the steps of a pipeline, without a source and without a database.

outcome = Trial(mapping=Mapping.load("customers.yaml")).outcome({"Customer ID": "7"})
assert outcome.rows == ({"id": 7},)
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from pipelines.ingestion.steps import applied
from runners.runner import named
from transforms.batch.record import JSON, Failure, Format, Headers, RecordBatch, Span
from transforms.envelope.config import UnwrapConfig
from transforms.envelope.unwrap import Unwrap
from transforms.mapping.map import Map
from transforms.mapping.mapping import Mapping
from transforms.parse.json_text import encode_json
from transforms.parse.parse import Parse, ParseConfig
from transforms.parse.validate import Validate, plain
from transforms.route.assign import AssignRoutes
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.route.table_name import UNROUTED

SOURCE = "file:///sample.jsonl"


@dataclass(frozen=True, slots=True)
class Sample:
    """One record, as a source would give it.

    Attributes:
        raw: Its bytes; none, with a key, for a tombstone.
        format: How to read them.
        source: Where it comes from: the URI of an object or a topic.
        partition: The version of the object, or the partition of the topic.
        offset: Its offset.
        key: The key of the message.
        headers: The headers of the message.
        event_time: Seconds since the epoch.
    """

    raw: bytes
    format: Format = JSON
    source: str = SOURCE
    partition: str = "0"
    offset: int = 0
    key: bytes | None = None
    headers: Headers = ()
    event_time: float | None = None

    @classmethod
    def of(cls, value: Dict[str, Any]) -> Sample:
        """A JSON record with the fields of ``value``."""
        return cls(encode_json(plain(value)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record.

    Attributes:
        rows: The values that would be written, in order: one, none, or several.
        failures: Why it, or some of what it became, would not be written.
        tables: The table of each row; empty where nothing is routed.
        deleted: What the record says of the rows that are gone, their keys among it.
        deleted_from: The table of each of them; empty where nothing is routed.
    """

    rows: tuple[Any, ...] = ()
    failures: tuple[Failure, ...] = ()
    tables: tuple[str, ...] = ()
    deleted: tuple[Any, ...] = ()
    deleted_from: tuple[str, ...] = ()

    @property
    def by_table(self) -> dict[str, tuple[Any, ...]]:
        """The rows by their table; where nothing is routed, all of them under an empty name."""
        return _by_table(self.tables, self.rows)

    @property
    def deleted_by_table(self) -> dict[str, tuple[Any, ...]]:
        """The same of those that are gone."""
        return _by_table(self.deleted_from, self.deleted)

    @property
    def row(self) -> Any:
        """The one value that would be written.

        Raises:
            ValueError: The record was rejected or left out, or became several.
        """
        if len(self.rows) == 1 and not self.failures:
            return self.rows[0]
        reasons = "; ".join(f"{each.stage}: {each.message}" for each in self.failures)
        raise ValueError(
            f"the record became {len(self.rows)} rows" + (f" ({reasons})" * bool(reasons))
        )

    @property
    def failure(self) -> Failure:
        """Its one failure.

        Raises:
            ValueError: It has none, or several.
        """
        if len(self.failures) == 1:
            return self.failures[0]
        raise ValueError(f"the record has {len(self.failures)} failures and {len(self.rows)} rows")


@dataclass(frozen=True, slots=True)
class Trial:
    """The part of a pipeline between the source and the table. Nothing is read or written.

    Attributes:
        mapping: As ``--map`` gives it.
        schema: JSON Schema as text, as ``--schema`` gives it.
        steps: The user's own steps.
        parse: Bounds of a record.
        run: What ``@run`` stands for.
        now: What ``@now`` stands for; None for the time of the trial.
        routes: As ``--routes`` gives them, or None.
        table: With routes, the table of what matches none, with ``schema``; empty if that goes to
            their default, or is dead.
        unwrap: What surrounds a row, and what becomes of deletes: as ``--envelope``, ``--key``,
            ``--on_delete`` and ``--delete_when`` give it.
    """

    mapping: Mapping | None = None
    schema: str | None = None
    steps: Sequence[beam.PTransform] = ()
    parse: ParseConfig = field(default_factory=ParseConfig)
    run: str = "trial"
    now: datetime | None = None
    routes: Routes | None = None
    table: str = ""
    unwrap: UnwrapConfig = UnwrapConfig()  # noqa: RUF009 - frozen

    def outcome(self, sample: Sample | Dict[str, Any]) -> Outcome:
        """What becomes of one record, or of a JSON record with these fields."""
        return self.outcomes([sample])[0]

    def outcomes(self, samples: Sequence[Sample | Dict[str, Any]]) -> list[Outcome]:
        """What becomes of each of ``samples``; they do not see each other."""
        records = [each if isinstance(each, Sample) else Sample.of(each) for each in samples]
        if not records:
            return []
        token = str(uuid.uuid4())
        apart = self.unwrap.is_needed
        with named("DirectRunner").pipeline(()) as pipeline:
            parsed = (
                pipeline
                | "Samples" >> beam.Create(list(map(_batch_of, records, range(len(records)))))
                | "Parse" >> Parse(replace(self.parse, tombstones=True) if apart else self.parse)
            )
            if apart:
                parsed = parsed | "Unwrap" >> Unwrap(self.unwrap)
            if self.mapping is not None:
                parsed = parsed | "Map" >> Map(self.mapping, run=self.run, now=self.now)
            schema = self.schema if self.routes is None else None  # that of the table
            checked = parsed | "Validate" >> Validate(schema)
            outcome = applied(checked, self.steps)
            if self.routes is not None:
                outcome = outcome | "Route" >> self._routed(self.routes)
            _ = outcome | "Collect" >> beam.ParDo(_CollectFn(token))
            pipeline.run().wait_until_finish()
        collected = _COLLECTED.pop(token, {})
        return [_outcome(collected.get(number, ()), self.table) for number in range(len(records))]

    def _routed(self, routes: Routes) -> AssignRoutes:
        if self.table:
            routes = Routes(routes.routes, Route(self.table, schema=self.schema))
        return AssignRoutes(routes, self.table or UNROUTED, run=self.run, now=self.now)


_COLLECTED: dict[str, dict[int, list[RecordBatch]]] = {}
"""Of each trial that runs, the batches that came out, by the number of their sample."""


class _CollectFn(beam.DoFn):
    """Keeps what comes out. The runner is in this process, so that the caller finds it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def process(self, batch: RecordBatch) -> None:
        collected = _COLLECTED.setdefault(self._token, defaultdict(list))
        collected[_number_of(batch.span)].append(batch)


def _batch_of(sample: Sample, number: int) -> RecordBatch:
    """A batch of one record. The length of its span, which no step looks at, says which one."""
    end = sample.offset + 1 + number
    return RecordBatch(
        span=Span(sample.source, sample.partition, sample.offset, end),
        format=sample.format,
        offsets=[sample.offset],
        raws=[sample.raw],
        times=None if sample.event_time is None else [sample.event_time],
        keys=None if sample.key is None else [sample.key],
        headers=[sample.headers] if sample.headers else None,
    )


def _number_of(span: Span) -> int:
    return span.end - span.start - 1


def _outcome(batches: Sequence[RecordBatch], own: str) -> Outcome:
    """What became of a sample; failures that are of no route are of the ``own`` table, if any."""
    written = [each for batch in batches for each in _written(batch)]
    rows = [(value, table) for value, table, gone in written if not gone]
    deleted = [(value, table) for value, table, gone in written if gone]
    return Outcome(
        rows=tuple(value for value, _ in rows),
        failures=tuple(
            replace(failure, target=failure.target or own or None)
            for batch in batches
            for failure in batch.failures
        ),
        tables=tuple(table for _, table in rows if table is not None),
        deleted=tuple(value for value, _ in deleted),
        deleted_from=tuple(table for _, table in deleted if table is not None),
    )


def _written(batch: RecordBatch) -> list[tuple[Any, str | None, bool]]:
    """Each value that comes to the write, its table if it is routed, and whether its row is gone."""
    values = batch.values or ()
    tables: Sequence[str | None] = batch.targets or [None] * len(values)
    gone = [False] * len(values) if batch.changes is None else [c.delete for c in batch.changes]
    return list(zip(values, tables, gone, strict=True))


def _by_table(tables: Sequence[str], rows: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    by_table: dict[str, tuple[Any, ...]] = {}
    for table, row in zip(tables or [""] * len(rows), rows, strict=True):
        by_table[table] = (*by_table.get(table, ()), row)
    return by_table
