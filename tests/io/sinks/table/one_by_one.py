"""The reference for every way to write: one record at a time, in order, under its own savepoint.

It shares no code with the sink. Tables, records and modes are made by hypothesis.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Protocol

import psycopg2
from hypothesis import strategies as st

Value = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """A column and what its cells may be.

    ``good`` and ``bad`` say only what is likely: the database decides.
    """

    name: str
    declared: str
    good: Sequence[Any]
    bad: Sequence[Any] = ()


@dataclass(frozen=True)
class Case:
    """A table, and records in batches: each inner list is one commit of batches."""

    columns: Sequence[Column]
    key: tuple[str, ...]
    constraints: Sequence[str]
    mode: str
    commits: Sequence[Sequence[Sequence[Value]]]
    trigger: str | None = None
    effects: bool = False
    isolate: bool = False
    partitioned: bool = False

    @property
    def records(self) -> list[Value]:
        return [record for commit in self.commits for batch in commit for record in batch]

    def ddl(self, table: str) -> list[str]:
        parts = [f"{column.name} {column.declared}" for column in self.columns]
        parts += [text.replace("TABLE", table) for text in self.constraints]
        create = f"CREATE TABLE {table} ({', '.join(parts)}, PRIMARY KEY ({', '.join(self.key)}))"
        if not self.partitioned:
            return [create]
        part = f"PARTITION OF {table} FOR VALUES WITH (MODULUS 2, REMAINDER"
        return [
            f"{create} PARTITION BY HASH (k)",
            f"CREATE TABLE {table}_0 {part} 0)",
            f"CREATE TABLE {table}_1 {part} 1)",
        ]


@dataclass
class Outcome:
    """Offsets of the refused records, and of those that may count as refused or as duplicates."""

    refused: set[int] = field(default_factory=set)
    either: set[int] = field(default_factory=set)


_UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
TIMES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00+02:00",
    "2026-01-01T00:30:00+00:30",
    "2026-01-02 00:00:00+00",
)


def _columns(name: str, *, strict: bool) -> st.SearchStrategy[Column]:
    """A column of a kind that both databases have; ``strict`` where wrong types are refused."""
    wrong = ("x",) if strict else ()
    integer = [
        Column(name, "integer", (1, 2, 3), (None, *wrong)),
        Column(name, "integer NOT NULL", (1, 2, 3), (None, *wrong)),
        Column(name, "integer NOT NULL DEFAULT 7", (1, 2), (None, *wrong)),
        Column(name, f"integer CHECK ({name} > 0)", (1, 2), (-1, 0, *wrong)),
        Column(name, "integer DEFAULT 5", (1, 2, None), wrong),
        Column(name, "integer REFERENCES parents", (1, 2, None), (404, *wrong)),
        Column(name, "integer UNIQUE", (1, 2, 3, 4, None), wrong),
    ]
    text = [
        Column(name, "text", ("a", "b", None)),
        Column(name, "text NOT NULL", ("a", "b"), (None,)),
        Column(name, f"text CHECK (length({name}) < 3)", ("a", "bb"), ("long", "longer")),
        Column(name, "text UNIQUE", ("a", "b", "c", None)),
    ]
    return st.sampled_from([*integer, *text])


def _keys(*, strict: bool) -> st.SearchStrategy[tuple[Column, ...]]:
    wrong = ("x",) if strict else ()
    number = Column("k", "integer", (1, 2, 3), (None, *wrong))
    text = Column("k", "text NOT NULL", ("a", "b", "A"), (None,))
    pair = (Column("k", "integer", (1, 2), wrong), Column("l", "text NOT NULL", ("a", "b")))
    choices: list[tuple[Column, ...]] = [(number,), (text,), pair]
    if strict:
        spelt = (1, Decimal("1.0"), "1.00", 2, Decimal("2.0"))
        choices += [
            (Column("k", "numeric", spelt, ("x",)),),
            (Column("k", "timestamptz", TIMES, ("x",)),),
            (Column("k", "char(3)", ("a", "a ", "b"), ("long",)),),
            (Column("k", "uuid", (_UUID, _UUID.upper(), f"{{{_UUID}}}"), ("x",)),),
            (Column("k", "integer", (1, "1", " 1", "01", 2), ("x",)),),
        ]
    return st.sampled_from(choices)


_ORDERS = {
    True: (
        Column("at", "integer", (1, 2, 3, 4, None), ("x",)),
        Column("at", "integer DEFAULT 3", (1, 2, 3, 4)),
        Column("at", "timestamptz", (*TIMES, None), ("x",)),
        Column("at", "numeric NOT NULL", (1, Decimal("1.5"), "10", 9), (None,)),
    ),
    False: (
        Column("at", "integer", (1, 2, 3, 4, None)),
        Column("at", "integer DEFAULT 3", (1, 2, 3, 4)),
        Column("at", "text", (*TIMES, None)),
        Column("at", "real NOT NULL", (1, 1.5, 10, 9), (None,)),
    ),
}

TRIGGERS = {
    "leave out": "IF NEW.k IN (2, 3) AND random() >= 0 THEN RETURN NULL; END IF; RETURN NEW;",
    "lower": "NEW.k = lower(NEW.k); RETURN NEW;",
    "nothing": "RETURN NEW;",
}


@dataclass(frozen=True)
class Kinds:
    """What the tables of a database are made of.

    Attributes:
        columns: The kinds of columns besides key and order, by name.
        keys: The columns of a key.
        orders: What a ``newest`` compares.
        triggers: Draws a trigger for columns, or None.
        partitioned: Whether a table may consist of partitions.
        exclusive: Whether a constraint may exclude equal values.
    """

    columns: Callable[[str], st.SearchStrategy[Column]]
    keys: st.SearchStrategy[tuple[Column, ...]]
    orders: Sequence[Column]
    triggers: Callable[[st.DrawFn, Sequence[Column]], str | None] = lambda _draw, _columns: None
    partitioned: bool = False
    exclusive: bool = False


def _triggers(draw: st.DrawFn, columns: Sequence[Column]) -> str | None:
    if columns[1:2] and columns[1].name == "l":  # the key has two columns
        return None
    fitting = {"integer": "leave out", "text NOT NULL": "lower"}.get(columns[0].declared, "nothing")
    return draw(st.sampled_from([fitting, "nothing"]))


SQLITE = Kinds(partial(_columns, strict=False), _keys(strict=False), _ORDERS[False])
POSTGRES = Kinds(
    *(partial(_columns, strict=True), _keys(strict=True), _ORDERS[True], _triggers),
    partitioned=True,
    exclusive=True,
)


@st.composite
def cases(draw: st.DrawFn, kinds: Kinds) -> Case:
    """Small tables, few keys, records of which many are refused."""
    key = draw(kinds.keys)
    others = tuple(draw(kinds.columns(name)) for name in ("v", "w")[: draw(_UP_TO_2)])
    mode = draw(st.sampled_from(["ignore", "update", "newest:at"]))
    if mode == "newest:at":
        others = (*others, draw(st.sampled_from(kinds.orders)))
    columns = (*key, *others)
    constraints = []
    names = [each.name for each in others if each.declared.startswith("integer")]
    if len(names) == 2 and draw(st.booleans()):
        constraints.append(f"CHECK ({names[0]} <= {names[1]})")
    if len(key) == 1 and key[0].declared == "integer" and names and draw(_SELDOM):
        constraints.append(f"FOREIGN KEY ({names[0]}) REFERENCES TABLE (k)")
    if len(others) > 1 and draw(_SELDOM):
        constraints.append(f"UNIQUE ({others[0].name}, {others[1].name})")
    if kinds.exclusive and others and others[0].name == "v" and draw(_SELDOM):
        constraints.append("EXCLUDE USING btree (v WITH =)")
    plain = not constraints and not any("UNIQUE" in column.declared for column in columns)
    partitioned = kinds.partitioned and plain and draw(_SELDOM)
    trigger = None
    if not partitioned and draw(_SELDOM):
        trigger = kinds.triggers(draw, columns)
    full = draw(st.booleans())
    record = st.fixed_dictionaries(
        {column.name: _cells(column) for column in key},
        optional={} if full else {column.name: _cells(column) for column in others},
    )
    if full:
        record = st.fixed_dictionaries({column.name: _cells(column) for column in columns})
    batch = st.lists(record, min_size=1, max_size=draw(st.sampled_from([4, 12, 12, 60])))
    commits = draw(st.lists(st.lists(batch, min_size=1, max_size=3), min_size=1, max_size=3))
    return Case(
        columns,
        _names(key),
        constraints,
        mode,
        commits,
        trigger,
        effects=draw(st.booleans()),
        isolate=draw(_SELDOM),
        partitioned=partitioned,
    )


_UP_TO_2 = st.integers(0, 2)
_SELDOM = st.sampled_from([False, False, False, True])


def _names(columns: Sequence[Column]) -> tuple[str, ...]:
    return tuple(column.name for column in columns)


def _cells(column: Column) -> st.SearchStrategy[Any]:
    good = st.sampled_from(column.good)
    return st.one_of(good, good, good, st.sampled_from(column.bad)) if column.bad else good


def apply_on_postgres(connection: Any, table: str, case: Case) -> Outcome:
    """Apply the records of ``case`` to ``table``."""
    outcome = Outcome()
    with connection.cursor() as cursor:
        for offset, record in enumerate(case.records):
            cursor.execute("SAVEPOINT each")
            try:
                effective = apply_one(_Postgres(cursor, table, case), record)
            except psycopg2.Error:
                cursor.execute("ROLLBACK TO SAVEPOINT each")
                outcome.refused.add(offset)
                continue
            except KeyMissing:
                outcome.refused.add(offset)
                continue
            if not effective:
                outcome.either.add(offset)
            cursor.execute("RELEASE SAVEPOINT each")
    connection.commit()
    return outcome


def apply_on_sqlite(connection: sqlite3.Connection, table: str, case: Case) -> Outcome:
    """Apply the records of ``case`` to ``table``; the connection commits by itself."""
    outcome = Outcome()
    for offset, record in enumerate(case.records):
        try:
            effective = apply_one(_Sqlite(connection, table, case), record)
        except (sqlite3.Error, KeyMissing):
            outcome.refused.add(offset)
            continue
        if not effective:
            outcome.either.add(offset)
    return outcome


class KeyMissing(Exception):
    """A record without its key."""


class Reference(Protocol):
    """One record at a time in a database."""

    @property
    def case(self) -> Case:
        """Whose table it is."""

    def find(self, record: Value) -> tuple[Any, ...] | None:
        """The row of the record's key, as far as it is compared."""

    def wins(self, there: tuple[Any, ...], record: Value) -> bool:
        """Whether the record is newer than the row."""

    def insert(self, record: Value) -> None:
        """Insert the record."""

    def update(self, record: Value) -> None:
        """Change the row of the record's key."""


def apply_one(database: Reference, record: Value) -> bool:
    """Apply one record; whether it took part. What only lost may be refused as well."""
    case = database.case
    if any(record.get(name) is None for name in case.key):
        raise KeyMissing
    there = database.find(record)
    if there is None:
        database.insert(record)
        return True
    if case.mode == "ignore":
        return False
    if case.mode == "newest:at" and not database.wins(there, record):
        return False
    database.update(record)
    return True


class _Postgres:
    def __init__(self, cursor: Any, table: str, case: Case) -> None:
        self.cursor = cursor
        self.table = table
        self.case = case

    def find(self, record: Value) -> tuple[Any, ...] | None:
        compared = "at" if self.case.mode == "newest:at" else "1"
        where = " AND ".join(f"{name} = %s" for name in self.case.key)
        cells = [_literal(record[name]) for name in self.case.key]
        self.cursor.execute(f"SELECT {compared} FROM {self.table} WHERE {where}", cells)
        row: tuple[Any, ...] | None = self.cursor.fetchone()
        return row

    def wins(self, there: tuple[Any, ...], record: Value) -> bool:
        if there[0] is None:
            return True
        kind = next(c.declared for c in self.case.columns if c.name == "at").split()[0]
        self.cursor.execute(
            f"SELECT CAST(%s AS {kind}) < CAST(%s AS {kind})",
            [str(there[0]), _literal(record.get("at"))],
        )
        return bool(self.cursor.fetchone()[0])

    def insert(self, record: Value) -> None:
        marks = ", ".join(["%s"] * len(record))
        key = ", ".join(self.case.key)
        changes = ", ".join(f"{n} = EXCLUDED.{n}" for n in record if n not in self.case.key)
        action = f"UPDATE SET {changes}" if changes and self.case.mode != "ignore" else "NOTHING"
        if action != "NOTHING" and self.case.mode == "newest:at":
            newer = " OR t.at < EXCLUDED.at" if "at" in record else ""
            action += f" WHERE t.at IS NULL{newer}"
        self.cursor.execute(
            f"INSERT INTO {self.table} AS t ({', '.join(record)}) VALUES ({marks}) "
            f"ON CONFLICT ({key}) DO {action}",
            [_literal(value) for value in record.values()],
        )

    def update(self, record: Value) -> None:
        settable = [name for name in record if name not in self.case.key]
        if not settable:
            return
        changes = ", ".join(f"{name} = %s" for name in settable)
        where = " AND ".join(f"{name} = %s" for name in self.case.key)
        cells = [_literal(record[name]) for name in (*settable, *self.case.key)]
        self.cursor.execute(f"UPDATE {self.table} SET {changes} WHERE {where}", cells)


class _Sqlite:
    def __init__(self, connection: sqlite3.Connection, table: str, case: Case) -> None:
        self.connection = connection
        self.table = table
        self.case = case

    def find(self, record: Value) -> tuple[Any, ...] | None:
        compared = "at" if self.case.mode == "newest:at" else "1"
        where = " AND ".join(f"{name} = ?" for name in self.case.key)
        cells = [record[name] for name in self.case.key]
        row: tuple[Any, ...] | None = self.connection.execute(
            f"SELECT {compared} FROM {self.table} WHERE {where}", cells
        ).fetchone()
        return row

    def wins(self, there: tuple[Any, ...], record: Value) -> bool:
        new = record.get("at")
        if there[0] is None or new is None:
            return there[0] is None
        if isinstance(new, str):
            return _instant(there[0]) < _instant(new)
        return bool(there[0] < new)

    def insert(self, record: Value) -> None:
        marks = ", ".join("?" * len(record))
        self.connection.execute(
            f"INSERT INTO {self.table} ({', '.join(record)}) VALUES ({marks})",
            list(record.values()),
        )

    def update(self, record: Value) -> None:
        settable = [name for name in record if name not in self.case.key]
        if not settable:
            return
        changes = ", ".join(f"{name} = ?" for name in settable)
        where = " AND ".join(f"{name} = ?" for name in self.case.key)
        cells = [record[name] for name in (*settable, *self.case.key)]
        self.connection.execute(f"UPDATE {self.table} SET {changes} WHERE {where}", cells)


def _literal(value: Any) -> str | None:
    """As a literal of no type, which the column's type reads."""
    return None if value is None else str(value)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
