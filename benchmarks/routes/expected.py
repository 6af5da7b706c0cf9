"""What must become of the records of a topic: rows, objects, dead letters and counts. Pure.

The rule is that of one record at a time, in the order of each partition. Contents are compared as
multisets of fingerprints, so that a million rows fit into memory.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from benchmarks.routes.event_types import BY_EVENT, EVENT_TYPES, EventType
from benchmarks.routes.records import (
    BROKEN,
    GOOD,
    LATE,
    REFUSED_BY_THE_DATABASE,
    WITHOUT_A_TABLE,
    Record,
)

UNROUTED = "(none)"
"""The label under which records are counted that no route has taken."""

SHOWN = 10

Contents = Counter[tuple[int, int]]
"""How often there is a row: by the number of its record, and the fingerprint of its values."""

Dead = tuple[int, int, str, str, str]
"""Partition, offset, label of the target, stage and category of a dead letter."""


@dataclass
class Sums:
    """What must be counted for one target.

    Attributes:
        records: Those read, and those expanded.
        inserted: Rows, or records in objects.
        dead: Dead letters.
    """

    records: int = 0
    inserted: int = 0
    dead: int = 0


@dataclass
class Expected:
    """What must be there.

    Attributes:
        read: How many records there are.
        ends: How many each partition has.
        tables: Contents of each table, by the name of its type.
        objects: Contents of all objects of each type, by its name.
        dead: All dead letters.
        sums: By the label of the target.
    """

    read: int = 0
    ends: Counter[int] = field(default_factory=Counter)
    tables: dict[str, Contents] = field(default_factory=dict)
    objects: dict[str, Contents] = field(default_factory=dict)
    dead: set[Dead] = field(default_factory=set)
    sums: dict[str, Sums] = field(default_factory=dict)


def plain(column: str, value: Any) -> Any:
    """``value`` in the one form in which what was sent and what was read can be compared."""
    if isinstance(value, str) and column.endswith("_at"):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value, sort_keys=True, default=str)
    return value


def fingerprint(columns: Sequence[str], values: Iterable[Any]) -> int:
    """A number that is the same in this process for values that mean the same."""
    return hash(tuple(map(plain, columns, values)))


def contents(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Contents:
    """The contents of ``rows``, whose values are those of ``columns``; one of these is ``n``."""
    number = columns.index("n")
    return Counter((int(row[number]), fingerprint(columns, row)) for row in rows)


def expected(stream: Iterable[Record], *, tables: bool, objects: bool) -> Expected:
    """What must become of ``stream``.

    Args:
        stream: All records, in the order in which they were produced.
        tables: Whether there are routes to the tables.
        objects: Whether there are routes to objects.
    """
    result = Expected()
    rows: dict[str, dict[Any, tuple[Any, tuple[int, int]]]] = {
        kind.name: {} for kind in EVENT_TYPES
    }
    result.objects = {kind.name: Counter() for kind in EVENT_TYPES if objects}
    for record in stream:
        offset = result.ends[record.partition]
        place = record.partition, offset
        result.ends[record.partition] += 1
        result.read += 1
        if record.kind in WITHOUT_A_TABLE:
            _die(result, place, UNROUTED, record)
            continue
        kind = BY_EVENT[record.event]
        row = _row(kind, record) if record.row else None
        if tables and (row is None or record.kind in REFUSED_BY_THE_DATABASE):
            _die(result, place, kind.label, record)
        elif tables and row is not None:
            _sums(result, kind.label).records += 1
            _apply(kind, record, place, row, rows[kind.name])
        if objects and row is None:
            _die(result, place, kind.name, record)
        elif objects and row is not None:
            _sums(result, kind.name).records += 1
            result.objects[kind.name][row] += 1
    if tables:
        result.tables = {
            name: Counter(row for _, row in by_key.values()) for name, by_key in rows.items()
        }
    for kind in EVENT_TYPES:
        if tables:
            _sums(result, kind.label).inserted = result.tables[kind.name].total()
        if objects:
            _sums(result, kind.name).inserted = result.objects[kind.name].total()
    return result


def _row(kind: EventType, record: Record) -> tuple[int, int]:
    """The content of a record, as ``Contents`` counts it."""
    values = [record.row[column] for column in kind.compared]
    return int(record.row["n"]), fingerprint(kind.compared, values)


def _sums(result: Expected, label: str) -> Sums:
    return result.sums.setdefault(label, Sums())


def _die(result: Expected, place: tuple[int, int], label: str, record: Record) -> None:
    assert record.kind not in (GOOD, LATE)
    result.dead.add((*place, label, *BROKEN[record.kind]))
    sums = _sums(result, label)
    sums.records += 1
    sums.dead += 1


def _apply(
    kind: EventType,
    record: Record,
    place: tuple[int, int],
    row: tuple[int, int],
    by_key: dict[Any, tuple[Any, tuple[int, int]]],
) -> None:
    """Do to the table what the conflict rule of the type says."""
    key = place if "place" in kind.key else tuple(record.row[name] for name in kind.key)
    newest = kind.on_conflict.partition("newest:")[2]
    value = record.row[newest] if newest else None
    if key not in by_key or kind.on_conflict == "update" or (newest and value > by_key[key][0]):
        by_key[key] = value, row


def differences(what: str, is_there: Contents, must_be: Contents) -> list[str]:
    """How two contents differ, in lines for people; empty if they do not."""
    if is_there == must_be:
        return []
    missing, extra = must_be - is_there, is_there - must_be
    lines = [f"{what}: {missing.total():,} rows are missing, {extra.total():,} are too many"]
    wrong = {number for number, _ in missing} & {number for number, _ in extra}
    for name, rows in (("missing", missing), ("too many", extra)):
        numbers = sorted({number for number, _ in rows} - wrong)[:SHOWN]
        if numbers:
            lines.append(f"  {name}: records {numbers}")
    if wrong:
        lines.append(f"  with other values: records {sorted(wrong)[:SHOWN]}")
    return lines


def dead_differences(is_there: Counter[Dead], must_be: set[Dead]) -> list[str]:
    """How the dead letters differ from what they must be, in lines for people."""
    twice = [dead for dead, times in is_there.items() if times > 1]
    lines = []
    for what, dead in (
        ("are missing", sorted(must_be - is_there.keys())),
        ("must not be there", sorted(is_there.keys() - must_be)),
        ("are there more than once", sorted(twice)),
    ):
        if dead:
            lines.append(f"{len(dead):,} dead letters {what}, e.g. {dead[:SHOWN]}")
    return lines


def sum_differences(counts: Mapping[str, Mapping[str, int]], must_be: Expected) -> list[str]:
    """How the counts of the targets differ from what they must be, in lines for people.

    Args:
        counts: By the label of the target, each count by its name.
        must_be: What must be there.
    """
    lines = [
        f"nothing must be counted for {label}" for label in counts.keys() - must_be.sums.keys()
    ]
    for label, sums in must_be.sums.items():
        has = counts.get(label, {})
        records = has.get("read", 0) + has.get("expanded", 0)
        accepted = sum(has.get(name, 0) for name in ("inserted", "updated", "duplicates"))
        for what, number, right in (
            ("records", records, sums.records),
            ("inserted", has.get("inserted", 0), sums.inserted),
            ("dead", has.get("dead", 0), sums.dead),
            ("accepted", accepted, sums.records - sums.dead),
            ("retrying", has.get("retrying", 0), 0),
            ("filtered", has.get("filtered", 0), 0),
        ):
            if number != right:
                lines.append(f"{label}: {number:,} {what} are counted, {right:,} must be")
    total = sum(has.get("read", 0) for has in counts.values())
    if total != must_be.read:
        lines.append(f"{total:,} records are counted as read, {must_be.read:,} were produced")
    return lines
