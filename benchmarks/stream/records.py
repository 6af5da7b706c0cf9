"""The records of ``faults``, and what must become of them. Pure: no service is involved.

Most are good. Some repeat a record exactly, in its partition or in another one; some give a key new
content. Some are broken, in six ways; half of these share their key with a good record that comes
before or after them, next to them or some seconds away.

Records of one key that differ are all in one partition, so their order is defined. ``outcome`` is the
rule: one record at a time, in order, each accepted or refused by itself. A record whose parent comes
later may be applied at its place or at any later moment.
"""

from __future__ import annotations

import heapq
import json
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import Any, Literal

TABLE = """
CREATE TABLE events (
  id text PRIMARY KEY,
  n bigint NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  code varchar(8) NOT NULL,
  price numeric(8, 2),
  parent text REFERENCES events (id),
  note text
)"""

COLUMNS = ("n", "quantity", "code", "price", "parent", "note")
"""The columns other than the key."""

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "n", "quantity", "code"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "n": {"type": "integer"},
        "quantity": {"type": "integer"},
        "code": {"type": ["string", "null"]},
        "price": {"type": ["number", "null"]},
        "parent": {"type": ["string", "null"]},
        "note": {"type": ["string", "null"]},
    },
}

GOOD, LATE, NEVER = "good", "late", "never"

DEAD: dict[str, tuple[str, str]] = {
    # By the kind of a broken record: stage and category of its dead letter.
    "malformed": ("parse", "malformed"),
    "not_utf8": ("parse", "invalid_utf8"),
    "schema": ("validate", "schema"),
    "check": ("write", "constraint"),
    "null": ("write", "constraint"),
    "too_long": ("write", "data"),
    "out_of_range": ("write", "data"),
    NEVER: ("write", "foreign_key"),
}

WAYS = (
    ("malformed",),
    ("not_utf8",),
    ("schema",),
    ("check",),
    ("null", "too_long", "out_of_range"),
    (NEVER, LATE),
)
"""The six ways to be broken. A record with a late parent is broken only until the parent comes."""

COMPANY = ("gb", "bg", "gbg", "bbg", "gbb")
"""Orders in which broken records (b) and good ones (g) share a key."""

REPEATED, CHANGED, BROKEN = 0.06, 0.03, 0.015
"""Shares of all records."""

RECENT = 4_000
"""How many recent records may be repeated or changed."""

Row = tuple[Any, ...]
"""The values of ``COLUMNS``."""

Fate = Literal["kept", "dead", "either"]


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it is produced.

    Attributes:
        partition: The partition that it goes to.
        key: Its ``id``, or the one that it had before it was broken.
        kind: ``good``, ``late``, or one of ``DEAD``.
        raw: Its bytes.
    """

    partition: int
    key: str
    kind: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """What determines every record.

    Attributes:
        seed: Seed of the random numbers.
        records: Their number; up to ``reach`` more follow that belong to the last ones.
        partitions: Number of partitions of the topic.
        reach: Records that belong together are at most this number of records apart.
    """

    seed: int
    records: int
    partitions: int
    reach: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may become of the records of one key.

    Attributes:
        rows: The rows that are allowed; None stands for no row.
        fates: The fate of each record: ``dead`` is a dead letter, ``kept`` is not, and ``either``
            is a refused record whose key may exist: a duplicate or a dead letter.
    """

    rows: frozenset[Row | None]
    fates: tuple[Fate, ...]


def records(plan: Plan) -> Iterator[Record]:
    """All records, in the order in which they are produced."""
    rng = random.Random(plan.seed)
    maker = _Maker(rng, plan)
    later: list[tuple[int, int, Record]] = []
    ticket = count()
    for sent in count():
        if later and (later[0][0] <= sent or sent >= plan.records):
            yield heapq.heappop(later)[2]
        elif sent < plan.records:
            first, *others = maker.scene()
            for delay, record in others:
                heapq.heappush(later, (sent + delay, next(ticket), record))
            yield first[1]
        else:
            return


def outcome(of_key: Sequence[Record], *, update: bool) -> Outcome:
    """The rule for the records of one key, in their order.

    Args:
        of_key: All records of the key. If they are in several partitions, they must be equal.
        update: Whether a record overwrites the row, except for the fields that it lacks;
            otherwise the first record stays.
    """
    if len({record.partition for record in of_key}) > 1:
        assert len({record.raw for record in of_key}) == 1, "no order between partitions"
    # Rows that the table may have, and the records that then still wait for their parents.
    states: set[tuple[Row | None, frozenset[int]]] = {(None, frozenset())}
    key_existed: list[bool] = []
    fields = [_fields(each) if each.kind in (GOOD, LATE) else {} for each in of_key]
    for index, record in enumerate(of_key):
        key_existed.append(any(row is not None for row, _ in states))
        if record.kind == GOOD:
            states = {(_applied(row, fields[index], update), wait) for row, wait in states}
        elif record.kind == LATE:
            states = {(row, wait | {index}) for row, wait in states}
        states = _healed(states, fields, update)
    rows = frozenset(row for row, wait in states if not wait)
    # A record that waits in vain also meets the records after it.
    finally_known = rows != {None}
    fates = tuple(
        _fate(each.kind, before or (each.kind == NEVER and finally_known), update)
        for each, before in zip(of_key, key_existed, strict=True)
    )
    return Outcome(rows, fates)


def _fate(kind: str, key_exists: bool, update: bool) -> Fate:
    if kind in (GOOD, LATE):
        return "kept"
    refused_by_the_database = DEAD[kind][0] == "write"
    return "either" if refused_by_the_database and key_exists and not update else "dead"


def _healed(
    states: set[tuple[Row | None, frozenset[int]]], fields: Sequence[dict[str, Any]], update: bool
) -> set[tuple[Row | None, frozenset[int]]]:
    """``states``, and all that follow from them when parents arrive."""
    reachable = set(states)
    fresh = list(states)
    while fresh:
        row, wait = fresh.pop()
        for index in wait:
            state = (_applied(row, fields[index], update), wait - {index})
            if state not in reachable:
                reachable.add(state)
                fresh.append(state)
    return reachable


def _applied(row: Row | None, fields: dict[str, Any], update: bool) -> Row:
    if row is None:
        return tuple(fields.get(column) for column in COLUMNS)
    if not update:
        return row
    return tuple(fields.get(column, value) for column, value in zip(COLUMNS, row, strict=True))


def _fields(record: Record) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(record.raw, parse_float=Decimal)
    return fields


class _Maker:
    """Makes records that belong together, and remembers those that may be repeated."""

    def __init__(self, rng: random.Random, plan: Plan) -> None:
        self._rng = rng
        self._plan = plan
        self._numbers = count(1)
        self._broken = 0
        self._home: list[Record] = []  # keys that stay in one partition
        self._anywhere: list[Record] = []  # keys with one content

    def scene(self) -> list[tuple[int, Record]]:
        """Records, each with the number of others that come before it; the first comes at once."""
        draw = self._rng.random()
        if draw < BROKEN:
            return self._broken_one()
        if draw < BROKEN + CHANGED and self._home:
            return [(0, self._good(self._rng.choice(self._home).key, whole=False))]
        if draw < BROKEN + CHANGED + REPEATED and self._home and self._anywhere:
            return [(0, self._repeated())]
        record = self._good(self._key())
        self._remember(self._rng.choice((self._home, self._anywhere)), record)
        return [(0, record)]

    def _repeated(self) -> Record:
        if self._rng.random() < 0.5:
            return self._rng.choice(self._home)
        partition = self._rng.randrange(self._plan.partitions)
        return replace(self._rng.choice(self._anywhere), partition=partition)

    def _broken_one(self) -> list[tuple[int, Record]]:
        lap, turn = divmod(self._broken, len(WAYS))
        self._broken += 1
        kinds = WAYS[turn]
        kind = kinds[lap % len(kinds)]
        key = self._key()
        order = self._rng.choice(COMPANY) if lap // 2 % 2 else "b"
        parent = self._good(self._key()) if kind == LATE else None
        scene: list[tuple[int, Record]] = []
        at = 0
        for letter in order:
            record = self._good(key) if letter == "g" else self._bad(key, kind, parent)
            if letter == "g":
                self._remember(self._home, record)
            scene.append((at, record))
            at += 1 if self._rng.random() < 0.6 else self._rng.randint(1, self._plan.reach // 3)
        if parent is not None:
            reach = self._plan.reach
            scene.append((self._rng.randint(max(1, reach // 8), reach), parent))
        return scene

    def _good(self, key: str, *, whole: bool = True) -> Record:
        return self._record(key, GOOD, self._bytes(self._value(key, whole=whole)))

    def _bad(self, key: str, kind: str, parent: Record | None) -> Record:
        value = self._value(key, whole=True)
        if kind == "malformed":
            raw = self._bytes({**value, "note": "cut off"})
            return self._record(key, kind, raw[: -self._rng.randint(1, 20)])
        if kind == "not_utf8":
            raw = self._bytes({**value, "note": "NOTE"}).replace(b"NOTE", b"\xff\xfe")
            return self._record(key, kind, raw)
        changes: dict[str, dict[str, Any]] = {
            "schema": {"quantity": "many"},
            "check": {"quantity": -self._rng.randint(0, 9)},
            "null": {"code": None},
            "too_long": {"code": "longer than eight"},
            "out_of_range": {"price": 12345678.5},
            NEVER: {"parent": f"nobody-{key}"},
            LATE: {"parent": parent.key if parent else None},
        }
        return self._record(key, kind, self._bytes({**value, **changes[kind]}))

    def _value(self, key: str, *, whole: bool) -> dict[str, Any]:
        value: dict[str, Any] = {
            "id": key,
            "n": next(self._numbers),
            "quantity": self._rng.randint(1, 1_000),
            "code": f"c{self._rng.randrange(10_000_000)}",
            "price": self._rng.randrange(1, 10_000_000) / 100,
            "parent": None,
            "note": self._rng.choice((None, "", "é 😀", "a 'quoted' \\ \t note")),
        }
        if not whole:
            for name in ("price", "note", "parent"):
                if self._rng.random() < 0.5:
                    del value[name]
        return value

    def _bytes(self, value: dict[str, Any]) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def _record(self, key: str, kind: str, raw: bytes) -> Record:
        return Record(zlib.crc32(key.encode()) % self._plan.partitions, key, kind, raw)

    def _key(self) -> str:
        return f"{self._rng.getrandbits(80):020x}"

    def _remember(self, pool: list[Record], record: Record) -> None:
        if len(pool) < RECENT:
            pool.append(record)
        else:
            pool[self._rng.randrange(RECENT)] = record
