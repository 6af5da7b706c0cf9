"""Keys are those that PostgreSQL finds equal."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from sinks.sql import SqlLedger
from sinks.table.postgres.keys import are_distinct
from sinks.table.rows import Rows
from sinks.table.target import Column
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.coverage import Coverage
from transforms.parse.columns.arrow_cells import ArrowCells

KEYED = "CREATE TABLE events (id integer PRIMARY KEY, name text)"


class TestKeys:
    @pytest.mark.parametrize("mode", ["ignore", "update"])
    def test_keys_that_only_the_database_finds_equal_are_one(
        self, postgres: Database, mode: str
    ) -> None:
        postgres.run("CREATE TABLE events (id uuid, n numeric, v text, PRIMARY KEY (id, n))")
        sink = postgres.sink(key=["id", "n"], on_conflict=mode)
        key = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
        values = [
            {"id": key, "n": 1, "v": "first"},
            {"id": key.upper(), "n": Decimal("1.0"), "v": "second"},
            {"id": "{" + key.replace("-", "") + "}", "n": 1, "v": "third"},
        ]
        (settled,) = sink.commit([make_batch(values)])
        rest = {"duplicates": 2} if mode == "ignore" else {"updated": 2}
        assert counts(settled) == {"read": 3, "inserted": 1, **rest}
        assert postgres.rows("SELECT v FROM events") == [
            ("first" if mode == "ignore" else "third",)
        ]

    def test_newest_compares_as_the_database_does(self, postgres: Database) -> None:
        postgres.run("CREATE TABLE events (id integer PRIMARY KEY, at timestamptz, v text)")
        sink = postgres.sink(key=["id"], on_conflict="newest:at")
        values = [
            {"id": 1, "at": "2026-01-01T10:00:00+05:00", "v": "earlier"},
            {"id": 1, "at": "2026-01-01T09:00:00+00:00", "v": "later"},
        ]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}
        assert postgres.rows("SELECT v FROM events") == [("later",)]

    def test_a_schema_qualified_table_is_the_same_in_the_default_schema(
        self, postgres: Database
    ) -> None:
        postgres.run("CREATE SCHEMA app", "CREATE TABLE app.events (id integer PRIMARY KEY)")
        postgres.run(KEYED)
        postgres.sink("app.events", key=["id"]).commit([make_batch([{"id": 1}])])
        sink = postgres.sink("public.events", key=["id"])
        sink.commit([make_batch([{"id": 1}, {"id": 2}])])
        place = ("file:///a", "p")
        bare = SqlLedger(postgres.config("events", key=["id"]))
        assert bare.coverage([place]) == {place: Coverage(((0, 2),))}
        other = SqlLedger(postgres.config("app.events", key=["id"]))
        assert other.coverage([place]) == {place: Coverage(((0, 1),))}

    @pytest.mark.parametrize("mode", ["ignore", "update"])
    def test_a_partitioned_table_counts_as_any_other(self, postgres: Database, mode: str) -> None:
        postgres.run(
            "CREATE TABLE events (id integer PRIMARY KEY, name text) PARTITION BY HASH (id)",
            "CREATE TABLE part (gone text, name text, id integer NOT NULL)",
            "ALTER TABLE part DROP COLUMN gone",
            "ALTER TABLE events ATTACH PARTITION part FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
            "CREATE TABLE rest PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        )
        sink = postgres.sink(key=["id"], on_conflict=mode)
        sink.commit([make_batch([{"id": i, "name": "a"} for i in range(10)])])
        (settled,) = sink.commit(
            [make_batch([{"id": i, "name": "b"} for i in range(5, 15)], source="other")]
        )
        rest = {"duplicates": 5} if mode == "ignore" else {"updated": 5}
        assert counts(settled) == {"read": 10, "inserted": 5, **rest}


def test_rows_are_apart_where_one_column_of_the_key_says_so() -> None:
    def apart(ids: list[str], numbers: list[int], **kind: bool) -> bool:
        columns = (Column("id", "uuid", **kind), Column("n", "int8", one_spelling=True))
        cells = {
            "id": ArrowCells(pa.array(ids), lambda part: part.to_pylist()),
            "n": ArrowCells(pa.array(numbers), lambda part: part.to_pylist()),
        }
        rows = Rows([], range(len(ids)), columns=cells)
        return are_distinct(replace(EVENTS, columns=columns, key=("id", "n")), rows)

    one, other = str(UUID(int=10)), str(UUID(int=11))
    assert apart([one, other], [1, 1], one_spelling=True)
    assert apart([one, one], [1, 2], one_spelling=True)
    assert not apart([one, one.upper()], [1, 1], one_spelling=True)
    assert not apart([one, other], [1, 1], one_spelling=False)
