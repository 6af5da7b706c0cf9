"""The ledger: what is settled is settled once, whatever is read again and however it is called."""

from __future__ import annotations

from dataclasses import replace

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, failure_of, outcomes, source_of
from sinks.sql import SqlLedger
from transforms.batch.coverage import Coverage
from transforms.batch.record import RecordBatch

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
PARTITIONS = 120

ALIKE = (
    "file:///x/a",
    "file:///x/A",
    "file:///x/á",
    "file:///x/a ",
    "file:///x/a_",
    "file:///x/a%",
)
"""Names of sources that a collation may take for equal, or a pattern for one of its own."""


def _again(ground: Ground, trial: Trial) -> None:
    sink = ground.sink("ledger_again", key=["id"], schema=SCHEMA)
    batch = batch_of(sink, [{"id": 1}], failures=[failure_of(sink, 1)])
    first = committed(sink, [batch])
    second = committed(sink, [batch])
    trial.equal("outcomes", outcomes(first), {"read": 2, "inserted": 1, "dead": 1})
    trial.equal("outcomes of the same batch", outcomes(second), {})
    trial.equal("records that were settled before", second[0].trimmed, 2)
    trial.equal("rows", ground.number("ledger_again"), 1)


def _overlap(ground: Ground, trial: Trial) -> None:
    sink = ground.sink("ledger_overlap", key=["id"], schema=SCHEMA)
    values = [{"id": number} for number in range(10)]
    committed(sink, [batch_of(sink, values[2:5], 2), batch_of(sink, values[7:8], 7)])
    settled = committed(sink, [batch_of(sink, values, final=True)])
    trial.equal("outcomes", outcomes(settled), {"read": 6, "inserted": 6})
    trial.equal("records that were settled before", settled[0].trimmed, 4)
    place = (source_of(sink), "p")
    coverage = SqlLedger(sink.config).coverage([place])
    trial.equal("what is settled", coverage, {place: Coverage(((0, 10),), 10)})


def _many(ground: Ground, trial: Trial) -> None:
    sink = ground.sink("ledger_many", key=["id"], schema=SCHEMA)
    batches = [
        batch_of(sink, [{"id": number}], number, partition=f"p{number}")
        for number in range(PARTITIONS)
    ]
    settled = committed(sink, batches)
    sums = {"read": PARTITIONS, "inserted": PARTITIONS}
    trial.equal("outcomes", outcomes(settled), sums)
    places = [(source_of(sink), f"p{number}") for number in range(PARTITIONS)]
    coverage = SqlLedger(sink.config).coverage(places)
    expected = {place: Coverage(((n, n + 1),)) for n, place in enumerate(places)}
    trial.equal("what is settled", coverage, expected)


def _names(ground: Ground, trial: Trial) -> None:
    """Sources whose names differ in little are several; long names are kept whole."""
    sink = ground.sink("ledger_names", key=["id"], schema=SCHEMA)
    long = "s3://bucket/" + "ü" * 200
    sources = [*ALIKE, f"{long}1", f"{long}2"]
    batches = [
        _of_source(batch_of(sink, [{"id": number}]), source)
        for number, source in enumerate(sources)
    ]
    settled = committed(sink, batches)
    trial.equal("outcomes", outcomes(settled), {"read": len(sources), "inserted": len(sources)})
    ledger = SqlLedger(sink.config)
    for source in sources:
        expected = {"p": Coverage(((0, 1),))}
        trial.equal(f"what is settled of {source!r}", ledger.partitions(source), expected)


def _of_source(batch: RecordBatch, source: str) -> RecordBatch:
    return replace(batch, span=replace(batch.span, source=source))


def _large(ground: Ground, trial: Trial) -> None:
    """Offsets as large as a topic's or a file's may become."""
    sink = ground.sink("ledger_large", key=["id"], schema=SCHEMA)
    start = 2**62
    batch = batch_of(sink, [{"id": 1}, {"id": 2}], start)
    trial.equal("outcomes", outcomes(committed(sink, [batch])), {"read": 2, "inserted": 2})
    place = (source_of(sink), "p")
    coverage = SqlLedger(sink.config).coverage([place])
    trial.equal("what is settled", coverage, {place: Coverage(((start, start + 2),))})


CHECKS = (
    Check("ledger.again", "a batch that is read again changes nothing", _again),
    Check("ledger.overlap", "of a range that is settled in part, the rest is written", _overlap),
    Check("ledger.many", "one transaction settles many partitions, each by itself", _many),
    Check("ledger.names", "sources are told apart by every letter of their names", _names),
    Check("ledger.large", "offsets are exact up to 2^62 and beyond", _large),
)
