"""Records mapped without Beam, for the tests of mappings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from transforms.batch.record import JSON, Format, RecordBatch, Span
from transforms.mapping.map import Mapper
from transforms.mapping.mapping import Mapping
from transforms.parse.parse import ParseConfig, parse

SOURCE = "file:///data/dt=2026-01-01/part.jsonl"
SPAN = Span(SOURCE, "v1", 0, 1_000_000)


def batch_of(values: Sequence[Any], **more: Any) -> RecordBatch:
    """A batch of parsed JSON."""
    raws = [json.dumps(value, default=str).encode() for value in values]
    return RecordBatch(SPAN, JSON, range(len(values)), raws, list(values), **more)


def csv_batch(*rows: str, columns: Sequence[str]) -> RecordBatch:
    """A batch of parsed CSV."""
    raws = [row.encode() for row in rows]
    return parse(
        RecordBatch(SPAN, Format("csv", tuple(columns)), range(len(raws)), raws), ParseConfig()
    )


def mapped_batch(operations: Sequence[dict[str, Any]], batch: RecordBatch) -> RecordBatch:
    """``batch`` after a mapping."""
    return Mapper(Mapping.of(operations), run="run-1").map(batch)


def mapped(operations: Sequence[dict[str, Any]], *values: Any, **more: Any) -> list[Any]:
    """What a mapping makes of each value: a record, or the message of its rejection."""
    result = mapped_batch(operations, batch_of(values, **more))
    assert result.values is not None
    outcomes: list[tuple[int, Any]] = list(zip(result.offsets, result.values, strict=True))
    for failure in result.failures:
        assert (failure.stage, failure.category) == ("map", "mapping")
        outcomes.append((failure.origin.offset, failure.message))
    return [outcome for _, outcome in sorted(outcomes, key=lambda pair: pair[0])]


def cast(to: Any, *cells: Any) -> list[Any]:
    """What a cast makes of each cell: its value, or the message of the rejection."""
    outcomes = mapped([{"cast": {"a": to}}], *({"a": cell} for cell in cells))
    return [outcome["a"] if isinstance(outcome, dict) else outcome for outcome in outcomes]
