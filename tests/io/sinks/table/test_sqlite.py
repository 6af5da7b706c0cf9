"""What only SQLite has: affinities, one writer at a time, and its own errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.errors import ConfigError, Contention, SinkFailed

SCHEMA = {
    "properties": {
        "id": {"type": "integer"},
        "amount": {"type": "number"},
        "huge": {"type": "integer", "maximum": 10**30},
        "ok": {"type": "boolean"},
        "tags": {"type": "array"},
        "at": {"type": "string", "format": "date-time"},
    }
}


class TestSqlite:
    def test_a_created_table_keeps_numbers_exactly(self, sqlite_database: Database) -> None:
        sink = sqlite_database.sink(key=["id"], schema=SCHEMA)
        exact = "123456789012345678901234567890.12345"
        value = {
            "id": 1,
            "amount": Decimal(exact),
            "huge": 10**25,
            "ok": True,
            "tags": ["a"],
            "at": "2026-01-01T00:00:00Z",
        }
        (settled,) = sink.commit([make_batch([value])])
        assert counts(settled) == {"read": 1, "inserted": 1}
        assert sqlite_database.rows("SELECT * FROM events") == [
            (1, exact, "1" + "0" * 25, 1, '["a"]', "2026-01-01T00:00:00Z")
        ]

    def test_a_key_that_is_null_to_sqlite_is_refused_by_the_table(
        self, sqlite_database: Database
    ) -> None:
        # SQLite allows NULL in a primary key unless it is told otherwise.
        sqlite_database.sink(key=["id"], schema=SCHEMA)
        with pytest.raises(Exception, match="NOT NULL"):
            sqlite_database.run("INSERT INTO events (id) VALUES (NULL)")

    def test_a_locked_database_is_contention(self, sqlite_database: Database) -> None:
        sqlite_database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        sink = sqlite_database.sink(key=["id"], statement_timeout=1)
        batch = make_batch([{"id": 1}])
        with closing(sqlite_database.connect()) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Contention, match="locked"):
                sink.commit([batch])
            other.rollback()
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 1, "inserted": 1}

    def test_writers_take_turns(self, sqlite_database: Database) -> None:
        sqlite_database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        sink = sqlite_database.sink(key=["id"])
        batches = [make_batch([{"id": i}], source=f"s{i}") for i in range(40)]
        with ThreadPoolExecutor(4) as threads:
            settled = list(threads.map(lambda batch: sink.commit([batch]), batches))
        assert all(counts(each) == {"read": 1, "inserted": 1} for (each,) in settled)
        assert sqlite_database.rows("SELECT count(*) FROM events") == [(40,)]

    def test_a_foreign_key_is_enforced(self, sqlite_database: Database) -> None:
        sqlite_database.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)",
            "INSERT INTO parents VALUES (1)",
            "CREATE TABLE events (id integer PRIMARY KEY, parent integer REFERENCES parents)",
        )
        sink = sqlite_database.sink(key=["id"])
        values = [{"id": 1, "parent": 1}, {"id": 2, "parent": 404}, {"id": 3}]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 3, "inserted": 2, "retry": 1}
        assert settled.retry[0].category == "foreign_key"

    def test_each_batch_of_a_commit_counts_its_own_rows(self, sqlite_database: Database) -> None:
        sqlite_database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        sink = sqlite_database.sink(key=["id"])
        of_batches: list[list[Any]] = [[1, 2, 3], [], [3, 4], [4, 2], [5, "x", 6]]
        batches = [
            make_batch([{"id": number} for number in numbers], source=f"s{place}")
            for place, numbers in enumerate(of_batches)
        ]

        settled = sink.commit(batches)

        assert [counts(each) for each in settled] == [
            {"read": 3, "inserted": 3},
            {},
            {"read": 2, "inserted": 1, "duplicates": 1},
            {"read": 2, "duplicates": 2},
            {"read": 3, "inserted": 2, "dead": 1},
        ]
        assert [failure.origin.source for failure in settled[4].dead] == ["s4"]

    def test_what_a_trigger_has_done_for_a_refused_row_is_taken_back(
        self, sqlite_database: Database
    ) -> None:
        sqlite_database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n integer)",
            "CREATE TABLE seen (n integer)",
            "CREATE TRIGGER notes AFTER INSERT ON EVENTS BEGIN INSERT INTO seen VALUES (new.n);"
            " SELECT RAISE(FAIL, 'odd') WHERE new.n % 2; END",
        )
        sink = sqlite_database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": n, "n": n} for n in range(6)])])
        assert counts(settled) == {"read": 6, "inserted": 3, "dead": 3}
        assert sqlite_database.rows("SELECT n FROM seen ORDER BY n") == [(0,), (2,), (4,)]
        assert sqlite_database.rows("SELECT id FROM events ORDER BY id") == [(0,), (2,), (4,)]

    def test_a_row_that_undoes_its_transaction_ends_the_write(
        self, sqlite_database: Database
    ) -> None:
        # Nothing may count as written that was undone with it.
        sqlite_database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n integer UNIQUE ON CONFLICT ROLLBACK)"
        )
        sink = sqlite_database.sink(key=["id"])
        values = [{"id": 1, "n": 1}, {"id": 2, "n": 1}, {"id": 3, "n": 3}]
        with pytest.raises(SinkFailed, match="UNIQUE"):
            sink.commit([make_batch(values)])
        assert sqlite_database.rows("SELECT * FROM events") == []

    @pytest.mark.parametrize("dense", [1, 2, 97])
    def test_refused_rows_do_not_touch_those_around_them(
        self, sqlite_database: Database, dense: int
    ) -> None:
        sqlite_database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n NOT NULL CHECK (n > 0))",
            "INSERT INTO events VALUES (250, 1)",
        )
        sink = sqlite_database.sink(key=["id"])
        refused = range(0, 300, dense)
        values = [{"id": i, "n": -1 if i in refused else 1} for i in range(300)]
        values[0]["n"] = (
            2**63
        )  # too large to be bound as it is, and text is greater than any number
        (settled,) = sink.commit([make_batch(values)])
        bad = [i for i in refused if i]
        assert [failure.origin.offset for failure in settled.dead] == bad
        assert settled.counts.inserted == 300 - len(bad) - (250 not in bad)
        assert sqlite_database.rows("SELECT count(*) FROM events") == [
            (settled.counts.inserted + 1,)
        ]

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
    def test_a_database_in_memory_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigError, match="name a file"):
            Database("sqlite", url).sink(key=["id"])

    def test_a_missing_folder_is_named(self) -> None:
        with pytest.raises(ConfigError, match=r"folder /no/such .* does not exist"):
            Database("sqlite", "sqlite:////no/such/file.db").sink(key=["id"])

    def test_a_file_that_is_no_database_is_a_configuration_error(self, tmp_path: Any) -> None:
        file = tmp_path / "notes.txt"
        file.write_text("hello " * 1000)
        with pytest.raises(ConfigError, match="not a database"):
            Database("sqlite", f"sqlite:///{file}").sink(key=["id"])
