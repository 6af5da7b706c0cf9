"""The outbox: what a commit did to the rows of its table, kept by the same transaction.

Whoever publishes it (``pipelines.outbox``) tells the world of every change that is there, and
of none that was rolled back: no message is sent from within a transaction.

A row takes its number while the transaction holds the lock of the row that it changed, so that
the numbers of one key ascend in the order of its changes. Across keys they need not: a
transaction that commits late has lower numbers than others that are there already.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from sinks.database.tables import SHARDS, outbox
from sinks.table.records import Operation
from sinks.table.target import ORIGIN_COLUMNS, Target
from sinks.text import encoding as text_encoding
from sinks.text.copy_text import INTEGER_TYPES, escape
from sinks.text.quoting import quote
from transforms.parse.json_text import encode_anything

_COLUMNS = (
    *("target", "key", "shard", "operation", "source", "partition", "offset", "payload"),
    "created_at",
)
_COPY = f"COPY {outbox.name} ({', '.join(map(quote, _COLUMNS))}) FROM STDIN"


@dataclass(slots=True)
class Effects:
    """The records that made or changed a row, a column at a time.

    Attributes:
        operations: What each did.
        values: The records, as they were written.
        sources: Of their origins.
        partitions: Of their origins.
        offsets: Of their origins.
    """

    operations: list[Operation] = field(default_factory=list)
    values: list[Mapping[str, Any]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    partitions: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


def insert(connection: sa.Connection, target: Target, effects: Effects) -> None:
    """Enter ``effects``, numbered in their order; their rows are written already.

    Of several effects on one row, the last is entered, with the fields that it left to the others.
    """
    keys = _keys(target, effects)
    if len(set(keys)) < len(keys):
        keys, effects = _last_of_each(target, keys, effects)
    at = datetime.now(UTC)
    if connection.dialect.name == "postgresql" and connection.dialect.driver == "psycopg2":
        _copy(connection, target.label, keys, effects, at)
        return
    rows = [
        dict(zip(_COLUMNS, (target.label, key, shard_of(key), *row, at), strict=True))
        for key, *row in zip(
            keys,
            effects.operations,
            effects.sources,
            effects.partitions,
            effects.offsets,
            map(encode_anything, effects.values),
            strict=True,
        )
    ]
    connection.execute(sa.insert(outbox), rows)


def shard_of(key: str) -> int:
    """Which of ``SHARDS`` shards a key belongs to, for ever."""
    return crc32(key.encode()) % SHARDS


def _last_of_each(
    target: Target, keys: Sequence[str], effects: Effects
) -> tuple[list[str], Effects]:
    last: dict[str, int] = {}
    operations: dict[str, Operation] = {}
    values: dict[str, Mapping[str, Any]] = {}
    for position, key in enumerate(keys):
        last[key] = position
        operations.setdefault(key, effects.operations[position])
        value = effects.values[position]
        values[key] = value if target.whole_payload else {**values.get(key, {}), **value}
    kept = sorted(last, key=last.__getitem__)
    places = [last[key] for key in kept]
    return kept, Effects(
        [operations[key] for key in kept],
        [values[key] for key in kept],
        [effects.sources[p] for p in places],
        [effects.partitions[p] for p in places],
        [effects.offsets[p] for p in places],
    )


def _keys(target: Target, effects: Effects) -> list[str]:
    """Each row's key as a JSON object, in the order of the key's columns."""
    columns: list[Sequence[Any]]
    if target.origin_key:
        names: Sequence[str] = ORIGIN_COLUMNS
        columns = [effects.sources, effects.partitions, effects.offsets]
    else:
        names = target.key
        kinds = {column.name: column.type for column in target.columns}
        columns = [
            [_canonical(kinds[name], value[name]) for value in effects.values] for name in names
        ]
    objects = (dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True))
    return [encode_anything(each).decode() for each in objects]


def _canonical(kind: str, cell: Any) -> Any:
    """One spelling of what a column takes for one value: 7.0 and "7", the capitals of a UUID."""
    if kind == "uuid":
        return str(cell).lower()
    if kind not in INTEGER_TYPES or type(cell) is int:
        return cell
    try:
        return int(cell) if isinstance(cell, str) or cell == int(cell) else cell
    except (ValueError, TypeError, ArithmeticError):
        return cell


def _copy(
    connection: sa.Connection, label: str, keys: Sequence[str], effects: Effects, at: datetime
) -> None:
    """Enter rows by COPY."""

    def encoded(texts: Sequence[str]) -> Sequence[str]:
        return escape(text_encoding.all_escaped(connection.dialect, texts))

    # Constant cells ride with a neighbour: the fewer columns, the faster the lines.
    (first,) = encoded([label])
    last = f"\t{at.isoformat()}"
    lines = zip(
        [
            f"{first}\t{key}\t{shard_of(text)}"
            for key, text in zip(encoded(keys), keys, strict=True)
        ],
        effects.operations,
        encoded(effects.sources),
        encoded(effects.partitions),
        map(str, effects.offsets),
        ["\\\\x" + encode_anything(value).hex() + last for value in effects.values],
        strict=True,
    )
    data = "".join(("\n".join(map("\t".join, lines)), "\n")).encode()
    cursor = connection.connection.cursor()
    cursor.copy_expert(_COPY, io.BytesIO(data), size=len(data) + 1)
