"""The tables of MariaDB, and one record at a time there, as ``one_by_one`` has it for other databases."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pymysql
from hypothesis import strategies as st

from tests.io.sinks.table.one_by_one import (
    TIMES,
    Case,
    Column,
    KeyMissing,
    Kinds,
    Outcome,
    Value,
    apply_one,
)

_UUID = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
_AMOUNTS = (1, Decimal("1.0"), "1.00", 2, Decimal("2.50"))


def _columns(name: str) -> st.SearchStrategy[Column]:
    return st.sampled_from(
        [
            Column(name, "integer", (1, 2, 3), (None, "x", 1.5)),
            Column(name, "integer NOT NULL", (1, 2, 3), (None, "x")),
            Column(name, "integer NOT NULL DEFAULT 7", (1, 2), (None, "x")),
            Column(name, f"integer CHECK ({name} > 0)", (1, 2), (-1, 0, "x")),
            Column(name, "integer DEFAULT 5", (1, 2, None), ("x",)),
            Column(name, "integer REFERENCES parents (id)", (1, 2, None), (404, "x")),
            Column(name, "integer UNIQUE", (1, 2, 3, 4, None), ("x",)),
            Column(name, "tinyint", (1, 2), (None, 300)),
            Column(name, "decimal(5,2)", _AMOUNTS, ("1.005", 12345)),
            Column(name, "datetime(3)", TIMES, ("x", "2026-01-01T00:00:00.0001Z")),
            Column(name, "varchar(20)", ("a", "b", None)),
            Column(name, "varchar(20) NOT NULL", ("a", "it's \\ %s"), (None,)),
            Column(name, f"varchar(20) CHECK (length({name}) < 3)", ("a", "ü"), ("long", "longer")),
            Column(name, "varchar(2)", ("a", "üü"), ("long", "a  ")),
            Column(name, "varchar(20) UNIQUE", ("a", "A", "b", "a ", None)),
            Column(name, "enum('a','b')", ("a", "b", None), ("c", "1")),
        ]
    )


_KEYS = st.sampled_from(
    [
        (Column("k", "integer", (1, 2, 3), (None, "x")),),
        (Column("k", "integer", (1, "1", " 1", "01", 2), ("x",)),),
        (Column("k", "varchar(20) NOT NULL", ("a", "b", "A", "a ", "á"), (None,)),),
        (
            Column(
                "k", "varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", ("a", "A", "a ")
            ),
        ),
        (Column("k", "integer", (1, 2), ("x",)), Column("l", "varchar(20)", ("a", "b", "B"))),
        (Column("k", "decimal(10,2)", _AMOUNTS, ("x", "1.005")),),
        (Column("k", "datetime(6)", TIMES, ("x",)),),
        (Column("k", "char(3)", ("a", "a ", "b"), ("long",)),),
        (Column("k", "uuid", (_UUID, _UUID.upper(), f"{{{_UUID}}}"), ("x",)),),
    ]
)

_ORDERS = (
    Column("at", "integer", (1, 2, 3, 4, None), ("x",)),
    Column("at", "integer DEFAULT 3", (1, 2, 3, 4)),
    Column("at", "datetime(6)", (*TIMES, None), ("x",)),
    Column("at", "decimal(5,2) NOT NULL", (1, Decimal("1.5"), "10", 9), (None,)),
    Column("at", "varchar(20)", ("a", "A", "b", "10", "9", None)),
)

_BODIES = {
    "nothing": "SET @seen = NEW.k",
    "change": "SET NEW.v = 3",
    "refuse": "BEGIN IF NEW.v = 2 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'two'; END IF; END",
}


def _triggers(draw: st.DrawFn, columns: Sequence[Column]) -> str:
    """A trigger, as its event and what it does."""
    numbered = any(column.name == "v" and "integer" in column.declared for column in columns)
    bodies = list(_BODIES) if numbered else ["nothing"]
    event, body = draw(st.sampled_from(["INSERT", "UPDATE"])), draw(st.sampled_from(bodies))
    return f"{event} {body}"


MARIADB = Kinds(_columns, _KEYS, _ORDERS, _triggers)


def ddl(case: Case, table: str) -> list[str]:
    """The statements that create the table of ``case``."""
    statements = case.ddl(table)
    if case.trigger is not None:
        event, _, body = case.trigger.partition(" ")
        statements.append(
            f"CREATE TRIGGER {table}_tr BEFORE {event} ON {table} FOR EACH ROW {_BODIES[body]}"
        )
    return statements


def apply_on_mariadb(connection: Any, table: str, case: Case) -> Outcome:
    """Apply the records of ``case`` to ``table``."""
    outcome = Outcome()
    with connection.cursor() as cursor:
        for offset, record in enumerate(case.records):
            cursor.execute("SAVEPOINT one")
            try:
                effective = apply_one(_Mariadb(cursor, table, case), record)
            except (pymysql.Error, KeyMissing, ValueError):
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                outcome.refused.add(offset)
                continue
            if not effective:
                outcome.either.add(offset)
            cursor.execute("RELEASE SAVEPOINT one")
    connection.commit()
    return outcome


class _Mariadb:
    """What MariaDB would change without a word (docs/targets.md) is refused."""

    def __init__(self, cursor: Any, table: str, case: Case) -> None:
        self.cursor = cursor
        self.table = table
        self.case = case

    def find(self, record: Value) -> tuple[Any, ...] | None:
        compared = "at" if self.case.mode == "newest:at" else "1"
        self.cursor.execute(
            f"SELECT {compared} FROM {self.table} WHERE {self._where}", self._key(record)
        )
        row: tuple[Any, ...] | None = self.cursor.fetchone()
        return row

    def wins(self, there: tuple[Any, ...], record: Value) -> bool:
        if there[0] is None:
            return True
        self.cursor.execute(
            f"SELECT COALESCE(%s > at, FALSE) FROM {self.table} WHERE {self._where}",
            [self._cells({"at": record.get("at")})["at"], *self._key(record)],
        )
        return bool(self.cursor.fetchone()[0])

    def insert(self, record: Value) -> None:
        marks = ", ".join(["%s"] * len(record))
        self.cursor.execute(
            f"INSERT INTO {self.table} ({', '.join(record)}) VALUES ({marks})",
            list(self._cells(record).values()),
        )

    def update(self, record: Value) -> None:
        cells = {n: v for n, v in self._cells(record).items() if n not in self.case.key}
        if cells:
            changes = ", ".join(f"{name} = %s" for name in cells)
            self.cursor.execute(
                f"UPDATE {self.table} SET {changes} WHERE {self._where}",
                [*cells.values(), *self._key(record)],
            )

    @property
    def _where(self) -> str:
        return " AND ".join(f"{name} = %s" for name in self.case.key)

    def _key(self, record: Value) -> list[Any]:
        return list(self._cells({name: record[name] for name in self.case.key}).values())

    def _cells(self, record: Value) -> dict[str, Any]:
        declared = {column.name: column.declared for column in self.case.columns}
        return {name: _cell(declared[name], value) for name, value in record.items()}


def _cell(declared: str, value: Any) -> Any:
    """``value`` as a column of the type ``declared`` takes it exactly.

    Raises:
        ValueError: It does not.
    """
    if value is None:
        return None
    kind = declared.split("(")[0].split()[0]
    exact = _EXACT.get(kind)
    return value if exact is None else exact(declared, value)


def _whole(_declared: str, value: Any) -> int:
    if isinstance(value, float) and value != int(value):
        raise ValueError(value)
    return int(value)


def _decimal(declared: str, value: Any) -> Decimal:
    number = Decimal(str(value)) if str(value) != "x" else _refuse(value)
    scale = int(declared.split(",")[1].split(")")[0])
    if number != round(number, scale):
        raise ValueError(value)
    return number


def _moment(declared: str, value: str) -> datetime:
    moment = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    if moment.microsecond % 10 ** (6 - int(declared.split("(")[1][0])):
        raise ValueError(value)
    return moment


def _bounded(declared: str, value: str) -> str:
    if len(value) > int(declared.split("(")[1].split(")")[0]):
        raise ValueError(value)
    return value


def _word(_declared: str, value: str) -> str:
    return _refuse(value) if value.isdecimal() else value


def _refuse(value: Any) -> Any:
    raise ValueError(value)


_EXACT: Mapping[str, Callable[[str, Any], Any]] = {
    "integer": _whole,
    "tinyint": _whole,
    "decimal": _decimal,
    "datetime": _moment,
    "varchar": _bounded,
    "char": _bounded,
    "enum": _word,
    "uuid": lambda _declared, value: str(uuid.UUID(value)),
}
