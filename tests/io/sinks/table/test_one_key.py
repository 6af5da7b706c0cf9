"""Records of one key in one batch: each good one has its effect, each refused one is kept."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.retry_policy import RetryPolicy
from transforms.settle.sink import Settled

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, n integer CHECK (n > 0), at integer)"


def write(database: Database, mode: str, *records: dict[str, Any]) -> Settled:
    sink = SqlSink(database.config(key=["id"], on_conflict=mode), RetryPolicy(max_attempts=3))
    sink.prepare()
    (settled,) = sink.commit([make_batch(records)])
    return settled


def refused(settled: Settled) -> list[int]:
    return sorted(failure.origin.offset for failure in (*settled.dead, *settled.retry))


class TestRefusedByTheDatabase:
    @pytest.mark.parametrize("mode", ["ignore", "update", "newest:at"])
    @pytest.mark.parametrize("bad_first", [True, False])
    def test_the_good_record_has_its_row(
        self, database: Database, mode: str, bad_first: bool
    ) -> None:
        database.run(TABLE)
        bad, good = {"id": 1, "n": -5, "at": 1}, {"id": 1, "n": 2, "at": 2}
        settled = write(database, mode, *([bad, good] if bad_first else [good, bad]))
        assert database.rows("SELECT id, n FROM events") == [(1, 2)]
        # With ignore, and where it is older, a refused record that comes second may be a duplicate.
        if bad_first or mode == "update":
            assert refused(settled) == [0 if bad_first else 1]
            assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}

    @pytest.mark.parametrize("mode", ["ignore", "update"])
    def test_a_record_that_waits_for_its_parent_hides_no_other(
        self, database: Database, mode: str
    ) -> None:
        database.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)",
            "INSERT INTO parents VALUES (1)",
            "CREATE TABLE events (id integer PRIMARY KEY, n integer REFERENCES parents (id))",
        )
        settled = write(database, mode, {"id": 1, "n": 404}, {"id": 1, "n": 1})
        assert database.rows("SELECT id, n FROM events") == [(1, 1)]
        assert [failure.origin.offset for failure in settled.retry] == [0]

    def test_among_many_rows(self, database: Database) -> None:
        database.run(TABLE)
        records = [{"id": i % 40, "n": -1 if i < 40 and i % 3 else i + 1} for i in range(400)]
        settled = write(database, "ignore", *records)
        expected = {i: i + 1 if i % 3 == 0 else 40 + i + 1 for i in range(40)}
        assert dict(database.rows("SELECT id, n FROM events")) == expected
        assert refused(settled) == [i for i in range(40) if i % 3]

    def test_of_many_for_few_keys_the_last_good_one_is_left(self, database: Database) -> None:
        database.run(TABLE)
        records = [{"id": i % 2, "n": i if i % 5 else -i} for i in range(1, 100)]
        settled = write(database, "update", *records)
        assert dict(database.rows("SELECT id, n FROM events")) == {0: 98, 1: 99}
        assert refused(settled) == [i - 1 for i in range(1, 100) if i % 5 == 0]

    def test_a_key_that_another_key_has_left_can_be_taken(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, n integer UNIQUE)")
        records = [{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 1, "n": 2}, {"id": 2, "n": 1}]
        settled = write(database, "update", *records)
        assert dict(database.rows("SELECT id, n FROM events")) == {1: 2, 2: 1}
        assert refused(settled) == [1]


class TestMissingFields:
    def test_a_record_without_the_field_never_beats_a_row_that_has_it(
        self, database: Database
    ) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, v text, at integer DEFAULT 9)")
        write(database, "newest:at", {"id": 1, "v": "dated", "at": 5}, {"id": 1, "v": "undated"})
        assert database.rows("SELECT v, at FROM events") == [("dated", 5)]

    @pytest.mark.parametrize("mode", ["update", "newest:at"])
    def test_a_missing_field_leaves_its_column_alone_though_it_is_not_null_or_checked(
        self, database: Database, mode: str
    ) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, v text NOT NULL, n integer, "
            "at integer, CHECK (n IS NOT NULL))"
        )
        settled = write(
            database,
            mode,
            {"id": 1, "v": "a", "n": 1, "at": 1},
            {"id": 1, "n": 2, "at": 2},
            {"id": 2, "n": 2, "at": 2},
            {"id": 1, "v": "b", "at": 3},
        )
        assert database.rows("SELECT id, v, n FROM events") == [(1, "b", 2)]
        assert refused(settled) == [2]


@pytest.mark.integration
class TestOnPostgres:
    @pytest.mark.parametrize(
        ("declared", "spellings"),
        [
            ("numeric", ["1.0", "1", "1.0"]),
            (
                "timestamptz",
                ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01", "2026-01-01 00:00Z"],
            ),
            ("char(4)", ["a", "a  ", "a"]),
            ("uuid", ["6f9619ff8b86d011b42d00cf4fc964ff", "6F9619FF-8B86-D011-B42D-00CF4FC964FF"]),
            ("inet", ["10.0.0.1", "10.0.0.1/32", "10.0.0.1"]),
        ],
    )
    @pytest.mark.parametrize("unique", ["", " UNIQUE"])
    def test_however_one_key_is_spelt_the_last_record_wins(
        self, postgres: Database, declared: str, spellings: list[str], unique: str
    ) -> None:
        postgres.run(
            f"CREATE TABLE events (id {declared} PRIMARY KEY, n integer{unique}, w integer)"
        )
        records: list[dict[str, Any]] = [
            {"id": spelling, "n": n, **({"w": 7} if n == 0 else {})}
            for n, spelling in enumerate(spellings)
        ]
        settled = write(postgres, "update", *records)
        last = len(spellings) - 1
        assert postgres.rows("SELECT n, w FROM events") == [(last, 7)]
        assert counts(settled) == {"read": last + 1, "inserted": 1, "updated": last}

    @pytest.mark.parametrize("outbox", [False, True])
    @pytest.mark.parametrize("mode", ["ignore", "update"])
    def test_what_a_trigger_leaves_out_is_not_counted_as_inserted(
        self, postgres: Database, mode: str, outbox: bool
    ) -> None:
        postgres.run("CREATE TABLE events (id integer PRIMARY KEY, n integer)")
        trigger(postgres, "IF NEW.n < 0 THEN RETURN NULL; END IF; RETURN NEW;")
        sink = SqlSink(postgres.config(key=["id"], on_conflict=mode), outbox=outbox)
        sink.prepare()
        settled = sink.commit(
            [
                make_batch([{"id": 1, "n": 1}, {"id": 2, "n": -1}], source="a"),
                make_batch([{"id": 3, "n": -1}, {"id": 4, "n": 1}, {"id": 5, "n": 1}], source="b"),
            ]
        )
        assert [counts(each) for each in settled] == [
            {"read": 2, "inserted": 1, "duplicates": 1},
            {"read": 3, "inserted": 2, "duplicates": 1},
        ]
        if outbox:
            assert postgres.rows('SELECT "offset" FROM ingest_outbox ORDER BY id') == [
                (0,),
                (1,),
                (2,),
            ]

    @pytest.mark.parametrize("mode", ["ignore", "update"])
    def test_a_trigger_may_change_the_key(self, postgres: Database, mode: str) -> None:
        postgres.run("CREATE TABLE events (id text PRIMARY KEY, n integer)")
        trigger(postgres, "NEW.id = lower(NEW.id); RETURN NEW;")
        records = [
            {"id": "A", "n": 1},
            {"id": "a", "n": 2},
            {"id": "B", "n": 3},
            {"id": "b", "n": 4},
        ]
        settled = write(postgres, mode, *records)
        assert postgres.rows("SELECT id, n FROM events ORDER BY id") == (
            [("a", 1), ("b", 3)] if mode == "ignore" else [("a", 2), ("b", 4)]
        )
        rest = {"duplicates": 2} if mode == "ignore" else {"updated": 2}
        assert counts(settled) == {"read": 4, "inserted": 2, **rest}

    def test_a_child_before_its_parent_waits_wherever_the_batch_ends(
        self, postgres: Database
    ) -> None:
        postgres.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n integer REFERENCES events (id))"
        )
        settled = write(postgres, "ignore", {"id": 2, "n": 1}, {"id": 1}, {"id": 3, "n": 1})
        assert postgres.rows("SELECT id FROM events ORDER BY id") == [(1,), (3,)]
        assert [failure.origin.offset for failure in settled.retry] == [0]


def trigger(postgres: Database, body: str) -> None:
    postgres.run(
        f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON events FOR EACH ROW EXECUTE FUNCTION f()",
    )


class TestOnSqlite:
    @pytest.mark.parametrize(
        ("declared", "older", "newer"),
        [
            ("TEXT", "2026-01-01T10:00:00+02:00", "2026-01-01T09:00:00Z"),
            ("TIMESTAMP", "2026-01-01 10:00:00+02:00", "2026-01-01T09:00:00.5Z"),
            ("TEXT", "2026-01-01T09:00:00.123456788Z", "2026-01-01T09:00:00.123456789Z"),
            ("", "0.1234567890123456789", 7),
            ("", 7, "10000000000000000000000001"),
            ("", "9.1234567890123456789", "10.1234567890123456789"),
            ("INTEGER", 9, 10),
        ],
    )
    def test_newest_compares_instants_and_numbers(
        self, sqlite_database: Database, declared: str, older: Any, newer: Any
    ) -> None:
        sqlite_database.run(f"CREATE TABLE events (id INTEGER PRIMARY KEY, v TEXT, at {declared})")
        for key, pair in ((1, (older, newer)), (2, (newer, older))):
            for source, at in enumerate(pair):
                sink = sqlite_database.sink(key=["id"], on_conflict="newest:at")
                name = "newer" if at == newer else "older"
                values = {"id": key, "v": name, "at": at}
                sink.commit([make_batch([values], source=f"{key}{source}")])
        assert sqlite_database.rows("SELECT v FROM events") == [("newer",), ("newer",)]

    def test_keys_are_compared_as_the_column_does(self, sqlite_database: Database) -> None:
        sqlite_database.run("CREATE TABLE events (id TEXT COLLATE NOCASE PRIMARY KEY, n integer)")
        settled = write(sqlite_database, "update", {"id": "A", "n": 1}, {"id": "a", "n": 2})
        assert sqlite_database.rows("SELECT id, n FROM events") == [("A", 2)]
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}
