"""Records for the checks: batches as a source would read them, and failures of a step."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sinks.sql import SqlSink
from transforms.batch.record import JSON, Failure, Origin, RecordBatch, Span
from transforms.settle.sink import Settled


def batch_of(
    sink: SqlSink,
    values: Sequence[Mapping[str, Any]],
    start: int = 0,
    *,
    failures: Sequence[Failure] = (),
    partition: str = "p",
    final: bool = False,
) -> RecordBatch:
    """The records ``values`` with the offsets ``start`` and so on, and those of ``failures`` after them."""
    stop = start + len(values) + len(failures)
    return RecordBatch(
        span=Span(source_of(sink), partition, start, stop, final),
        format=JSON,
        offsets=list(range(start, start + len(values))),
        raws=[json.dumps(dict(value), default=str).encode() for value in values],
        values=list(values),
        failures=tuple(failures),
    )


def failure_of(
    sink: SqlSink,
    offset: int,
    *,
    raw: bytes = b"{}",
    partition: str = "p",
    transient: bool = False,
    **changes: Any,
) -> Failure:
    """The failure of the record at ``offset``, at a step."""
    texts = {"exception": "ValueError", "message": "no", "stack": "", "stage": "step"}
    return Failure(
        origin=Origin(source_of(sink), partition, offset),
        raw=raw,
        format=JSON,
        category="retry_later" if transient else "rejected",
        transient=transient,
        **{**texts, **changes},
    )


def source_of(sink: SqlSink) -> str:
    """The source of the records of a sink: each table has its own."""
    return f"file:///conformance/{sink.config.table}"


def outcomes(settled: Sequence[Settled]) -> dict[str, int]:
    """What commits made of their records, without the zeros."""
    sums: dict[str, int] = {}
    for one in settled:
        for name, number in one.counts:
            if number:
                sums[name] = sums.get(name, 0) + number
    return sums
