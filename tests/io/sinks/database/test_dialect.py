"""What every dialect does, on each database: its own way has the outcome of the portable one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.engine import engine_of, transaction
from sinks.text.binary_types import ByteText
from tests.io.sinks.tested_database import Database
from transforms.errors import Contention

HOSTILE = "tab\tnew\nline\\back'quote\"€ 💥"

notes = sa.Table(
    "notes",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.Text().with_variant(ByteText(200), "mysql"), unique=True),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("extra", sa.JSON(none_as_null=True)),
)


@pytest.fixture
def connection(database: Database) -> Iterator[sa.Connection]:
    with transaction(database.database, "test") as connection:
        notes.create(connection)
        yield connection


def rows(connection: sa.Connection, where: Any = None) -> list[tuple[Any, ...]]:
    query = sa.select(notes).order_by(notes.c.id)
    return [
        (id_, name, None if raw is None else bytes(raw), extra)
        for id_, name, raw, extra in connection.execute(
            query if where is None else query.where(where)
        )
    ]


def ids(connection: sa.Connection, where: Any) -> list[int]:
    return [row[0] for row in rows(connection, where)]


def fill(connection: sa.Connection, *names: str, raws: list[bytes] | None = None) -> None:
    columns = {"id": list(range(len(names))), "name": names, "raw": raws or [b""] * len(names)}
    dialect_of(connection).insert(connection, notes, columns, {"extra": None})


class TestInsert:
    def test_cells_arrive_as_they_are(self, connection: sa.Connection) -> None:
        columns: dict[str, list[Any]] = {
            "id": [1, 2, 3],
            "name": [HOSTILE, "", None],
            "raw": [bytes(range(256)), b"\\x00", None],
        }
        dialect_of(connection).insert(connection, notes, columns, {"extra": {"a": [HOSTILE]}})
        assert rows(connection) == [
            (1, HOSTILE, bytes(range(256)), {"a": [HOSTILE]}),
            (2, "", b"\\x00", {"a": [HOSTILE]}),
            (3, None, None, {"a": [HOSTILE]}),
        ]

    def test_without_rows_nothing_is_inserted(self, connection: sa.Connection) -> None:
        dialect_of(connection).insert(connection, notes, {"id": [], "name": []}, {"raw": b"x"})
        assert rows(connection) == []


class TestGroups:
    def test_rows_come_column_by_column_apart_by_what_they_share(
        self, connection: sa.Connection
    ) -> None:
        names = [HOSTILE, "", "NULL", '{"a",b}', "\\N", "last"]
        raws = [bytes(range(256)), b"", b"\\x00", b"NULL", b"{}", b"not read"]
        fill(connection, *names, raws=raws)
        numbers = [4, 0, 2, 1, 3]
        odd = (notes.c.id % 2 == 1).label("odd")
        groups = dialect_of(connection).groups(
            connection, notes.c.id, numbers, (odd,), (notes.c.id, notes.c.name, notes.c.raw)
        )
        rows_of = {
            bool(group.shared[0]): sorted(zip(*group.cells, strict=True)) for group in groups
        }
        assert len(groups) == 2
        for is_odd, places in ((False, (0, 2, 4)), (True, (1, 3))):
            expected = [(place, names[place], raws[place]) for place in places]
            assert [(id_, name, bytes(raw)) for id_, name, raw in rows_of[is_odd]] == expected


numbered = sa.Table(
    "numbered",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("name", sa.String(40), unique=True),
    sa.Column("of", sa.Uuid()),
)


class TestInsertNew:
    def insert(self, connection: sa.Connection, *names: str) -> Any:
        columns = {"name": list(names)}
        dialect = dialect_of(connection)
        return dialect.insert_new(connection, numbered, columns, {"of": "0" * 31 + "7"}, "id")

    def test_rows_are_numbered_or_not_there(self, postgres: Database) -> None:
        with transaction(postgres.database, "test") as connection:
            numbered.create(connection)
            one, two = self.insert(connection, HOSTILE, "b")
            three, four = self.insert(connection, "c", "d")
            rows = connection.execute(sa.select(numbered).order_by(numbered.c.id)).all()
            of = uuid.UUID(int=7)
            assert rows == [(one, HOSTILE, of), (two, "b", of), (three, "c", of), (four, "d", of)]
            assert len({one, two, three, four}) == 4

    def test_with_one_that_is_there_none_is_inserted_and_the_transaction_goes_on(
        self, postgres: Database
    ) -> None:
        with transaction(postgres.database, "test") as connection:
            numbered.create(connection)
            self.insert(connection, "a", "b")
            assert self.insert(connection, "c", "b") is None
            assert self.insert(connection, "d", "d") is None
            assert self.insert(connection, "c", "d") is not None
        assert postgres.rows("SELECT name FROM numbered ORDER BY 1") == [(n,) for n in "abcd"]

    def test_without_a_faster_way_nothing_happens(self, sqlite_database: Database) -> None:
        with transaction(sqlite_database.database, "test") as connection:
            numbered.create(connection)
            assert self.insert(connection, "a", "b") is None
        assert sqlite_database.rows("SELECT * FROM numbered") == []

    def test_a_column_without_a_sequence_is_left_to_others(self, postgres: Database) -> None:
        with transaction(postgres.database, "test") as connection:
            connection.execute(sa.text("CREATE TABLE numbered (id bigint, name text, of uuid)"))
            assert self.insert(connection, "a", "b") is None
            assert connection.execute(sa.select(numbered)).all() == []


class TestInsertAbsent:
    def test_what_is_there_stays_and_the_rest_is_added(self, connection: sa.Connection) -> None:
        fill(connection, "a", "b")
        added = [
            {"id": n, "name": name, "raw": b"new", "extra": [1.5]}
            for n, name in enumerate(["b", "c", HOSTILE], 10)
        ]
        dialect_of(connection).insert_absent(connection, notes, added, "name")
        assert rows(connection) == [
            (0, "a", b"", None),
            (1, "b", b"", None),
            (11, "c", b"new", [1.5]),
            (12, HOSTILE, b"new", [1.5]),
        ]

    def test_of_one_row_it_says_whether_it_was_absent(self, connection: sa.Connection) -> None:
        dialect = dialect_of(connection)
        row = {"id": 1, "name": "a"}
        assert dialect.insert_absent(connection, notes, [row], "id") == 1
        assert dialect.insert_absent(connection, notes, [row], "id") == 0

    def test_rows_with_other_columns_can_follow(self, connection: sa.Connection) -> None:
        dialect = dialect_of(connection)
        dialect.insert_absent(connection, notes, [{"id": 1}, {"id": 2}], "id")
        more = [{"id": n, "name": str(n)} for n in (2, 3)]
        dialect.insert_absent(connection, notes, more, "id")
        assert [row[:2] for row in rows(connection)] == [(1, None), (2, None), (3, "3")]


def test_an_upsert_replaces_the_rows_with_its_primary_keys(connection: sa.Connection) -> None:
    fill(connection, "a", "b")
    changed = [
        {"id": n, "name": name, "raw": b"new", "extra": {}} for n, name in [(1, "B"), (2, "C")]
    ]
    dialect_of(connection).upsert(connection, notes, changed)
    assert rows(connection) == [(0, "a", b"", None), (1, "B", b"new", {}), (2, "C", b"new", {})]


class TestIsOneOf:
    def test_it_holds_for_these_numbers_alone(self, connection: sa.Connection) -> None:
        fill(connection, *"abcd")
        is_one_of = dialect_of(connection).is_one_of
        assert ids(connection, is_one_of(notes.c.id, [3, 1, 2**62])) == [1, 3]
        assert ids(connection, is_one_of(notes.c.id, [2])) == [2]
        assert ids(connection, is_one_of(notes.c.id, [])) == []

    def test_there_may_be_more_than_a_statement_takes_parameters(
        self, connection: sa.Connection
    ) -> None:
        fill(connection, *"abcd")
        numbers = range(2, 100_000)
        assert ids(connection, dialect_of(connection).is_one_of(notes.c.id, numbers)) == [2, 3]


@pytest.mark.parametrize(
    ("pattern", "positions"),
    [
        ("*", [0, 1, 2, 3]),
        ("a_*", [0]),
        ("a*", [0, 1]),
        ("A*", [2]),
        ("*%", [3]),
        ("*[*", [2]),
        ("*?*", [2]),
    ],
)
def test_a_star_and_nothing_else_stands_for_any_text(
    connection: sa.Connection, pattern: str, positions: list[int]
) -> None:
    fill(connection, "a_1", "aX1", "A[x]?", "100%")
    assert ids(connection, dialect_of(connection).matches(notes.c.name, pattern)) == positions


def test_bytes_are_looked_for_as_they_are(connection: sa.Connection) -> None:
    fill(connection, *"abc", raws=[b"\x00\xff%_", b"abc", b"ABC"])
    contains = dialect_of(connection).contains
    assert ids(connection, contains(notes.c.raw, b"\xff%")) == [0]
    assert ids(connection, contains(notes.c.raw, b"b")) == [1]


def test_what_is_taken_is_gone_and_said(connection: sa.Connection) -> None:
    others = sa.Table("others", sa.MetaData(), sa.Column("note", sa.BigInteger, primary_key=True))
    others.create(connection)
    connection.execute(sa.insert(others), [{"note": n} for n in (1, 2, 3)])

    def first(row: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return (
            sa.select(row)
            .select_from(others)
            .order_by(others.c.note)
            .limit(2)
            .with_for_update(skip_locked=True)
        )

    take = dialect_of(connection).take
    assert sorted(take(connection, others.c.note, first)) == [1, 2]
    assert connection.execute(sa.select(others)).all() == [(3,)]
    assert list(take(connection, others.c.note, first)) == [3]
    assert not take(connection, others.c.note, first)


def test_the_indexes_of_a_table_are_complete_unless_their_build_failed(
    connection: sa.Connection,
) -> None:
    connection.exec_driver_sql("CREATE INDEX notes_two ON notes (name, id)")
    indexes = dialect_of(connection).indexes(connection, "notes")
    assert indexes["notes_two"]
    assert all(indexes.values())


def test_the_number_of_rows_is_about_right(connection: sa.Connection) -> None:
    assert dialect_of(connection).about_rows(connection, "notes") == 0
    fill(connection, *(f"a name that is long enough {number}" for number in range(1_000)))
    assert 50 < dialect_of(connection).about_rows(connection, "notes") < 20_000


def test_one_session_at_a_time_has_a_lock_that_nobody_waits_for(postgres: Database) -> None:
    engine = engine_of(postgres.database)
    with engine.connect() as other, engine.connect() as connection:
        dialect = dialect_of(connection)
        assert dialect.only_one(connection, ("", "a"))
        assert not dialect.only_one(other, ("", "a"))
        assert dialect.only_one(other, ("other", "a"))
        connection.rollback()
        assert not dialect.only_one(other, ("", "a")), "it outlives the transaction"
        connection.invalidate()
        deadline = time.monotonic() + 30  # the server notices a moment later
        while not dialect.only_one(other, ("", "a")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        other.invalidate()


@pytest.mark.slow  # waits for a second
def test_a_transaction_waits_for_a_table_as_long_as_it_says(postgres: Database) -> None:
    postgres.run("CREATE TABLE notes (id integer)")
    with closing(postgres.connect()) as other:
        other.cursor().execute("LOCK TABLE notes")
        with pytest.raises(Contention, match="lock timeout"):
            read_notes(postgres)


def read_notes(postgres: Database) -> None:
    with transaction(postgres.database, "test") as connection:
        for statement in dialect_of(connection).lock_wait(1):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("SELECT * FROM notes")


def test_where_no_statement_bounds_a_wait_there_is_none(database: Database) -> None:
    with transaction(database.database, "test") as connection:
        for statement in dialect_of(connection).lock_wait(1):
            connection.exec_driver_sql(statement)


def test_the_time_is_aware_and_in_utc(connection: sa.Connection) -> None:
    at = dialect_of(connection).now(connection)
    assert at.utcoffset() == timedelta(0)
    assert abs(at - datetime.now(UTC)) < timedelta(hours=1)


def test_preferences_of_a_transaction_end_with_it(database: Database) -> None:
    for _ in range(2):
        with transaction(database.database, "test") as connection:
            if database.kind == "postgres":
                assert connection.scalar(sa.text("SHOW enable_seqscan")) == "on"
                assert connection.scalar(sa.text("SHOW synchronous_commit")) == "on"
            dialect = dialect_of(connection)
            dialect.prefer_indexes(connection, ordered=True)
            dialect.defer_flush(connection)
            dialect.lock(connection, [("events", "source", "partition")])
