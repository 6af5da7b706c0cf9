"""An error that only some rows raise is theirs, whatever its code; one of every row is not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.errors import SinkFailed


def offsets(settled: Any) -> list[int]:
    return [failure.origin.offset for failure in settled.dead]


@pytest.mark.integration
class TestTypesOfPostgres:
    """Parsers of values raise codes of every class."""

    @pytest.mark.parametrize("mode", ["ignore", "update"])
    @pytest.mark.parametrize(
        ("declared", "good", "bad", "sqlstate"),
        [
            ("tsvector", "a b", "'open", "42601"),
            ("tsquery", "a & b", "a & ", "42601"),
            ("jsonpath", "$.a", "$.[", "42601"),
            ("regclass", "pg_class", "nosuch", "42P01"),
            ("regtype", "integer", "nosuch", "42704"),
            ("regproc", "lower(text)", "nosuch", "42883"),
            ("xid8[]", "{1}", "{x}", "22P02"),
        ],
    )
    def test_a_value_that_a_type_cannot_read_is_its_records(
        self, postgres: Database, mode: str, declared: str, good: str, bad: str, sqlstate: str
    ) -> None:
        if declared == "regproc":
            good = "pg_backend_pid"
        postgres.run(f"CREATE TABLE events (id integer PRIMARY KEY, v {declared})")
        sink = postgres.sink(key=["id"], on_conflict=mode)
        values = [{"id": 1, "v": good}, {"id": 2, "v": bad}, {"id": 3, "v": good}]
        (settled,) = sink.commit([make_batch(values)])
        (dead,) = settled.dead
        assert (dead.origin.offset, dead.category, dead.sqlstate) == (1, "data", sqlstate)
        assert "column v: " in dead.message
        assert postgres.rows("SELECT id FROM events ORDER BY id") == [(1,), (3,)]
        # Also alone: the parser says so, no other row needs to.
        (alone,) = sink.commit([make_batch([{"id": 4, "v": bad}], 3)])
        assert offsets(alone) == [3]


FAILING = """
    CREATE FUNCTION f(n integer) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN IF n > 1 THEN PERFORM 1 FROM nosuch; END IF; RETURN true; END $$
"""
TRIGGER = """
    CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN {body}; RETURN NEW; END $$
"""


@pytest.mark.integration
class TestFunctionsOfPostgres:
    @pytest.mark.parametrize("mode", ["ignore", "update"])
    @pytest.mark.parametrize(
        "columns",
        [
            "v integer CHECK (f(v))",
            "v integer, g boolean GENERATED ALWAYS AS (fi(v)) STORED",
            "v whole",
        ],
        ids=["check", "generated", "domain"],
    )
    def test_a_function_that_fails_for_one_row_costs_this_row(
        self, postgres: Database, mode: str, columns: str
    ) -> None:
        postgres.run(
            FAILING,
            FAILING.replace("f(n", "fi(n").replace("plpgsql AS", "plpgsql IMMUTABLE AS"),
            "CREATE DOMAIN whole AS integer CHECK (f(VALUE))",
            f"CREATE TABLE events (id integer PRIMARY KEY, {columns})",
        )
        sink = postgres.sink(key=["id"], on_conflict=mode)
        values = [{"id": 1, "v": 2}, {"id": 2, "v": 1}, {"id": 3, "v": 1}]
        (settled,) = sink.commit([make_batch(values)])
        (dead,) = settled.dead
        assert (dead.origin.offset, dead.category, dead.sqlstate) == (0, "trigger", "42P01")
        assert settled.counts.inserted == 2

    @pytest.mark.parametrize("count", [1, 3, 200])
    def test_a_function_that_fails_for_every_row_fails_the_write(
        self, postgres: Database, count: int
    ) -> None:
        postgres.run(
            TRIGGER.format(body="INSERT INTO nosuch VALUES (1)"),
            "CREATE TABLE events (id integer PRIMARY KEY, v integer)",
            "CREATE TRIGGER g AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION g()",
        )
        sink = postgres.sink(key=["id"])
        with pytest.raises(SinkFailed, match=r'relation "nosuch" does not exist \[42P01\]'):
            sink.commit([make_batch([{"id": i, "v": 2} for i in range(count)])])
        assert postgres.rows("SELECT count(*) FROM ingest_jobs") == [(0,)]

    def test_what_a_trigger_raises_is_the_rows_whatever_code_it_chose(
        self, postgres: Database
    ) -> None:
        postgres.run(
            TRIGGER.format(body="RAISE EXCEPTION 'not yours' USING ERRCODE = '42501'"),
            "CREATE TABLE events (id integer PRIMARY KEY)",
            "CREATE TRIGGER g BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION g()",
        )
        (settled,) = postgres.sink(key=["id"]).commit([make_batch([{"id": 1}])])
        (dead,) = settled.dead
        assert (dead.category, dead.sqlstate, dead.message) == ("trigger", "42501", "not yours")

    def test_a_sequence_without_numbers_costs_no_record(self, postgres: Database) -> None:
        postgres.run(
            "CREATE TABLE events (id text PRIMARY KEY, n serial)",
            "SELECT setval('events_n_seq', 2147483647)",
        )
        sink = postgres.sink(key=["id"])
        with pytest.raises(SinkFailed, match="maximum value of sequence"):
            sink.commit([make_batch([{"id": "a"}, {"id": "b"}])])
        (settled,) = sink.commit([make_batch([{"id": "a"}, {"id": "b", "n": 5}])])
        assert (offsets(settled), settled.counts.inserted) == ([0], 1)


class TestFunctionsOfSqlite:
    """Errors of SQLite's functions have no code of their own."""

    @pytest.mark.parametrize("mode", ["ignore", "update"])
    @pytest.mark.parametrize(
        "columns",
        [
            "v TEXT, g TEXT GENERATED ALWAYS AS (json_extract(v, '$.a')) STORED",
            "v TEXT CHECK (json_extract(v, '$.a') IS NOT 5)",
        ],
        ids=["generated", "check"],
    )
    def test_a_function_that_fails_for_one_row_costs_this_row(
        self, sqlite_database: Database, mode: str, columns: str
    ) -> None:
        sqlite_database.run(f"CREATE TABLE events (id INTEGER PRIMARY KEY, {columns})")
        sink = sqlite_database.sink(key=["id"], on_conflict=mode)
        values = [{"id": 1, "v": "{}"}, {"id": 2, "v": "{"}, {"id": 3, "v": '{"a": 1}'}]
        (settled,) = sink.commit([make_batch(values)])
        (dead,) = settled.dead
        assert (dead.origin.offset, dead.category, dead.message) == (1, "data", "malformed JSON")
        assert settled.counts.inserted == 2

    def test_a_trigger_that_needs_a_table_that_is_gone_fails_the_write(
        self, sqlite_database: Database
    ) -> None:
        sqlite_database.run(
            "CREATE TABLE log (id)",
            "CREATE TABLE events (id INTEGER PRIMARY KEY)",
            "CREATE TRIGGER g AFTER INSERT ON events BEGIN INSERT INTO log VALUES (NEW.id); END",
            "DROP TABLE log",
        )
        sink = sqlite_database.sink(key=["id"])
        with pytest.raises(SinkFailed, match=r"no such table: main\.log"):
            sink.commit([make_batch([{"id": 1}, {"id": 2}])])
        assert sqlite_database.rows("SELECT count(*) FROM ingest_jobs") == [(0,)]


class TestRecordsThatLackAField:
    """With ``update`` a missing field leaves its column alone, whatever the column demands."""

    def test_each_changes_the_row_that_is_there_in_order(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, name varchar(9) NOT NULL, v integer, "
            "w integer, CHECK (w IS NULL OR w > v))",
            "INSERT INTO events VALUES (1, 'ann', 1, 10), (2, 'bob', 2, NULL)",
        )
        values: list[dict[str, Any]] = [
            {"id": 1, "v": 2},
            {"id": 2, "w": 3},
            {"id": 1, "v": 11},  # refused: w is 10
            {"id": 3, "v": 1},  # refused: no row yet, and no name
            {"id": 3, "name": "new"},
            {"id": 3, "v": 5},
            {"id": 1, "w": 20},
            {"id": 1, "v": 11},
            {"id": 4, "w": 1},  # refused
        ]
        (settled,) = database.sink(key=["id"], on_conflict="update").commit([make_batch(values)])
        assert sorted(offsets(settled)) == [2, 3, 8]
        assert {f.category for f in settled.dead} == {"constraint"}
        assert counts(settled) == {"read": 9, "inserted": 1, "updated": 5, "dead": 3}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "ann", 11, 20),
            (2, "bob", 2, 3),
            (3, "new", 5, None),
        ]

    def test_newest_compares_the_records_that_lack_a_field(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, name varchar(9) NOT NULL, v integer, "
            "at integer)",
            "INSERT INTO events VALUES (1, 'ann', 1, 5), (2, 'bob', 1, 5)",
        )
        values = [{"id": 1, "v": 2, "at": 6}, {"id": 2, "v": 2, "at": 4}, {"id": 3, "at": 9}]
        sink = database.sink(key=["id"], on_conflict="newest:at")
        (settled,) = sink.commit([make_batch(values)])
        assert offsets(settled) == [2]
        assert counts(settled) == {"read": 3, "updated": 1, "duplicates": 1, "dead": 1}
        assert database.rows("SELECT v, at FROM events ORDER BY id") == [(2, 6), (1, 5)]

    @pytest.mark.integration
    def test_a_generated_column_may_demand_one(self, postgres: Database) -> None:
        postgres.run(
            "CREATE TABLE events (id integer PRIMARY KEY, v integer, name text, "
            "g integer GENERATED ALWAYS AS (v * 2) STORED NOT NULL)",
            "INSERT INTO events (id, v) VALUES (1, 4)",
        )
        sink = postgres.sink(key=["id"], on_conflict="update")
        (settled,) = sink.commit([make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])])
        assert (settled.counts.updated, offsets(settled)) == (1, [1])
        assert postgres.rows("SELECT * FROM events") == [(1, 4, "a", 8)]


@pytest.mark.integration
class TestDomains:
    TYPES = (
        "CREATE DOMAIN json1 AS jsonb",
        "CREATE DOMAIN json2 AS json1",
        "CREATE DOMAIN said AS text DEFAULT 'nothing' NOT NULL",
        "CREATE DOMAIN said2 AS said",
        "CREATE DOMAIN numbers AS integer[] CHECK (array_length(VALUE, 1) < 3)",
        "CREATE TYPE colour AS ENUM ('red', 'blue')",
        "CREATE DOMAIN paint AS colour",
        "CREATE TYPE pair AS (a integer, b text)",
        "CREATE DOMAIN couple AS pair",
        """CREATE TABLE events (id integer PRIMARY KEY, j json2, s said2, n numbers, p paint,
           c couple, t integer)""",
    )

    def test_a_domain_is_read_as_the_type_beneath_all_domains(self, postgres: Database) -> None:
        postgres.run(*self.TYPES)
        values: list[dict[str, Any]] = [
            {"id": 1, "j": {"a": 1}, "n": [1, 2], "p": "red", "c": "(1,x)", "s": "yes"},
            {"id": 2, "j": "text", "s": "no"},
            {"id": 3, "n": [1, 2, 3]},
            {"id": 4, "p": "green"},
            {"id": 5, "s": None},
            {"id": 6, "t": 1},
        ]
        (settled,) = postgres.sink(key=["id"]).commit([make_batch(values)])
        assert sorted((f.origin.offset, f.category) for f in settled.dead) == [
            (2, "constraint"),
            (3, "data"),
            (4, "constraint"),
        ]
        assert postgres.rows("SELECT id, j, s, n, p, c::text, t FROM events ORDER BY id") == [
            (1, {"a": 1}, "yes", [1, 2], "red", "(1,x)", None),
            (2, "text", "no", None, None, None, None),
            (6, None, "nothing", None, None, None, 1),  # the default of its domain
        ]

    def test_update_leaves_the_column_of_a_domain_alone(self, postgres: Database) -> None:
        postgres.run(*self.TYPES, "INSERT INTO events (id, s, n) VALUES (1, 'yes', '{1}')")
        sink = postgres.sink(key=["id"], on_conflict="update")
        (settled,) = sink.commit([make_batch([{"id": 1, "t": 1}, {"id": 2, "t": 2}])])
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}
        assert postgres.rows("SELECT id, s, n, t FROM events ORDER BY id") == [
            (1, "yes", [1], 1),
            (2, "nothing", None, 2),
        ]
