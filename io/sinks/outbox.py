"""The outbox: what a commit did to the rows of its table, kept by the same transaction.

Whoever publishes it (``pipelines.outbox``) tells the world of every change that is there, and
of none that was rolled back: no message is sent from within a transaction.

A row takes its number while the transaction holds the lock of the row that it changed, so that
the numbers of one key ascend in the order of its changes. Across keys they need not: a
transaction that commits late has lower numbers than others that are there already.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import sqlalchemy as sa

from sinks.columns import escape
from sinks.dialect import Operation
from sinks.quoting import quote
from sinks.tables import SHARDS, outbox
from sinks.target import ORIGIN_COLUMNS, Target

# As a row is written: what has no JSON of its own becomes text (sinks.columns.as_text).
_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode

_INTEGERS = frozenset({"int2", "int4", "int8", "smallint", "integer", "bigint"})
_COLUMNS = (
    *("target", "key", "shard", "operation", "source", "partition", "offset", "payload"),
    "created_at",
)
_COPY = f"COPY {outbox.name} ({', '.join(map(quote, _COLUMNS))}) FROM STDIN"


class Effect(NamedTuple):
    """A record that made or changed a row.

    Attributes:
        operation: What it did.
        value: The record, as it was written.
        source: Of its origin.
        partition: Of its origin.
        offset: Of its origin.
    """

    operation: Operation
    value: Mapping[str, Any]
    source: str
    partition: str
    offset: int


def insert(connection: sa.Connection, target: Target, effects: Iterable[Effect]) -> None:
    """Enter ``effects``, numbered in their order; their rows are written already."""
    at = datetime.now(UTC)
    if connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg2":
        _copy(connection, _rows(target, effects, at))
        return
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in _rows(target, effects, at)]
    if rows:
        connection.execute(sa.insert(outbox), rows)


def shard_of(key: str) -> int:
    """Which of ``SHARDS`` shards a key belongs to, for ever."""
    return crc32(key.encode()) % SHARDS


def _key_writer(target: Target) -> Callable[[Effect], str]:
    """What writes a row's key as a JSON object, in the order of the key's columns."""
    if target.origin_key:
        return lambda effect: _encode(
            dict(zip(ORIGIN_COLUMNS, (effect.source, effect.partition, effect.offset), strict=True))
        ).decode()
    kinds = {column.name: column.type for column in target.columns}
    parts = [(name, kinds[name]) for name in target.key]
    return lambda effect: _encode(
        {name: _canonical(kind, effect.value[name]) for name, kind in parts}
    ).decode()


def _canonical(kind: str, cell: Any) -> Any:
    """One spelling of what a column takes for one value: 7.0 and "7", the capitals of a UUID."""
    if kind == "uuid":
        return str(cell).lower()
    if kind not in _INTEGERS or type(cell) is int:
        return cell
    try:
        return int(cell) if isinstance(cell, str) or cell == int(cell) else cell
    except (ValueError, TypeError, ArithmeticError):
        return cell


def _rows(target: Target, effects: Iterable[Effect], at: datetime) -> list[tuple[Any, ...]]:
    key_of = _key_writer(target)
    rows = []
    for effect in effects:
        key = key_of(effect)
        operation, value, *origin = effect
        rows.append((target.label, key, shard_of(key), operation, *origin, _encode(value), at))
    return rows


def _copy(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """By COPY, a fifth of the time of INSERTs."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
    targets, keys, shards, operations, sources, partitions, offsets, payloads, times = columns
    lines = zip(
        escape(targets),
        escape(keys),
        map(str, shards),
        operations,
        escape(sources),
        escape(partitions),
        map(str, offsets),
        ("\\\\x" + payload.hex() for payload in payloads),
        (at.isoformat() for at in times),
        strict=True,
    )
    data = "".join(("\n".join(map("\t".join, lines)), "\n")).encode()
    cursor = connection.connection.cursor()
    cursor.copy_expert(_COPY, io.BytesIO(data), size=len(data) + 1)
