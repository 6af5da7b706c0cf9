"""The outbox: what a commit changed in its table, stored by the same transaction.

``pipelines.outbox`` publishes every change that was committed, and none that was rolled back,
because no message is sent from within a transaction.

A row of the outbox takes its number while the transaction holds the lock of the row that it
changed. So the numbers of one key ascend in the order of its changes. Across keys they may not: a
transaction that commits late has lower numbers than rows that are there already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import SHARDS, Operation, outbox
from sinks.text.copy_text import INTEGER_TYPES
from transforms.batch.expansion import Expansion, number_of, text_of
from transforms.parse.json_text import encode_anything


@dataclass(frozen=True, slots=True)
class ChangedTable:
    """A table whose rows were changed.

    Attributes:
        label: Its name in the ledger.
        key: Its key columns.
        types: The types of these columns, by name; empty where records' origins are the key.
        whole_payload: Whether one column takes a record as it is.
    """

    label: str
    key: Sequence[str]
    types: Mapping[str, str]
    whole_payload: bool


@dataclass(slots=True)
class Effects:
    """The records that inserted or changed a row, in columns.

    Attributes:
        operations: What each record did.
        values: The records, as they were written.
        sources: The sources of their origins.
        partitions: The partitions of their origins.
        offsets: The offsets of their origins.
        elements: The numbers of the records in their messages, None where they are whole ones.
        expansions: The expansions of their origins; empty if none has any.
    """

    operations: list[Operation] = field(default_factory=list)
    values: list[Mapping[str, Any]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    partitions: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    elements: list[int | None] = field(default_factory=list)
    expansions: list[Expansion] = field(default_factory=list)


def insert(connection: sa.Connection, table: ChangedTable, effects: Effects) -> None:
    """Store ``effects``, numbered in their order. Their rows have been written before.

    Of several effects on one row only the last is stored, with the fields of the others that it
    leaves as they are.
    """
    keys = _keys(table, effects)
    if len(set(keys)) < len(keys):
        keys, effects = _last_of_each(table, keys, effects)
    at = datetime.now(UTC)
    columns: dict[str, Sequence[Any]] = {
        "key": keys,
        "shard": list(map(shard_of, keys)),
        "operation": [_STORED.get(each, each) for each in effects.operations],
        "source": effects.sources,
        "partition": effects.partitions,
        "offset": effects.offsets,
        "payload": [
            b"" if operation == "delete" else encode_anything(value)
            for operation, value in zip(effects.operations, effects.values, strict=True)
        ],
    }
    if "delete" in effects.operations:
        columns["deleted"] = [each == "delete" for each in effects.operations]
    if effects.elements.count(None) < len(effects.elements):
        columns["element"] = effects.elements
    if effects.expansions:
        columns["expansion"] = [text_of(each) or None for each in effects.expansions]
    constants = {"target": table.label, "created_at": at}
    dialect_of(connection).insert(connection, outbox, columns, constants)


_STORED: dict[Operation, Operation] = {"delete": "update"}
"""What the column ``operation`` has where that is not the operation itself."""


def shard_of(key: str) -> int:
    """The shard of a key, one of ``SHARDS``; it never changes."""
    return crc32(key.encode()) % SHARDS


def _last_of_each(
    table: ChangedTable, keys: Sequence[str], effects: Effects
) -> tuple[list[str], Effects]:
    last: dict[str, int] = {}
    operations: dict[str, Operation] = {}
    values: dict[str, Mapping[str, Any]] = {}
    for position, key in enumerate(keys):
        last[key] = position
        operation, value = effects.operations[position], effects.values[position]
        before = operations.get(key)
        if operation == "delete" or before == "delete" or before is None:
            # A row that was deleted and is there again has changed, for whoever knew it.
            operations[key] = (
                "update" if before == "delete" and operation == "insert" else operation
            )
            values[key] = value
        else:
            values[key] = value if table.whole_payload else {**values[key], **value}
    last_keys = sorted(last, key=last.__getitem__)
    places = [last[key] for key in last_keys]
    return last_keys, Effects(
        [operations[key] for key in last_keys],
        [values[key] for key in last_keys],
        [effects.sources[p] for p in places],
        [effects.partitions[p] for p in places],
        [effects.offsets[p] for p in places],
        [effects.elements[p] for p in places],
        [effects.expansions[p] for p in places] if effects.expansions else [],
    )


def _keys(table: ChangedTable, effects: Effects) -> list[str]:
    """The key of each row as a JSON object, in the order of the key's columns."""
    columns: list[Sequence[Any]]
    if table.types:
        columns = [
            [_canonical(table.types[name], value[name]) for value in effects.values]
            for name in table.key
        ]
    else:
        columns = [effects.sources, effects.partitions, effects.offsets]
        if len(table.key) > len(columns):
            expansions = effects.expansions or [()] * len(effects.elements)
            columns.append(list(map(number_of, effects.elements, expansions)))
    keys = (dict(zip(table.key, cells, strict=True)) for cells in zip(*columns, strict=True))
    return [encode_anything(key).decode() for key in keys]


def _canonical(kind: str, cell: Any) -> Any:
    """One spelling for equal values of a column: 7.0 and "7", or the capitals of a UUID."""
    if kind == "uuid":
        return str(cell).lower()
    if kind not in INTEGER_TYPES or type(cell) is int:
        return cell
    try:
        return int(cell) if isinstance(cell, str) or cell == int(cell) else cell
    except (ValueError, TypeError, ArithmeticError):
        return cell
