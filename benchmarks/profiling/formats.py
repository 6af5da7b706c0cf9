"""The events of JSON lines once more, as the same rows in Parquet, Avro and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

_COLUMNS: dict[str, Any] = {
    "event_id": pa.string(),
    "user_id": pa.int64(),
    "type": pa.string(),
    "occurred_at": pa.timestamp("us", "UTC"),
    "amount": pa.decimal128(12, 2),
    "currency": pa.string(),
    "props": pa.struct([("k", pa.int64()), ("s", pa.string())]),
}

_ARROW = pa.schema(_COLUMNS)

_AVRO: dict[str, Any] = {
    "type": "record",
    "name": "event",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "user_id", "type": "long"},
        {"name": "type", "type": "string"},
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {
            "name": "amount",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2},
        },
        {"name": "currency", "type": "string"},
        {
            "name": "props",
            "type": {
                "type": "record",
                "name": "props",
                "fields": [{"name": "k", "type": "long"}, {"name": "s", "type": "string"}],
            },
        },
    ],
}

ROW_GROUP = 100_000


def rewrite(lines: Path, to: Path) -> None:
    """Write the events in ``lines``, a file of JSON lines, to ``to``, whose suffix names the format.

    Raises:
        KeyError: No such format.
    """
    write = _WRITERS[to.suffix]
    with lines.open("rb") as file:
        write(map(_event, file), to)


def _event(line: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line, parse_float=Decimal)
    event["occurred_at"] = datetime.fromisoformat(event["occurred_at"])
    event["amount"] = Decimal(event["amount"])
    return event


def _parquet(events: Iterator[dict[str, Any]], to: Path) -> None:
    table = pa.Table.from_pylist(list(events), _ARROW)
    pq.write_table(table, to, row_group_size=ROW_GROUP)


def _avro(events: Iterator[dict[str, Any]], to: Path) -> None:
    with to.open("wb") as file:
        fastavro.writer(file, _AVRO, events, codec="snappy")


def _csv(events: Iterator[dict[str, Any]], to: Path) -> None:
    with to.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_ARROW.names)
        for event in events:
            cells = {
                **event,
                "occurred_at": event["occurred_at"].isoformat(),
                "props": json.dumps(event["props"], separators=(",", ":")),
            }
            writer.writerow([cells[name] for name in _ARROW.names])


_WRITERS: dict[str, Callable[[Iterator[dict[str, Any]], Path], None]] = {
    ".parquet": _parquet,
    ".avro": _avro,
    ".csv": _csv,
}
