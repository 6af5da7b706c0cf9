"""What only PostgreSQL has: types, COPY, savepoints, locks and lost connections."""

from __future__ import annotations

import datetime
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from sinks.sql import SqlLedger
from sinks.table.config import OnConflict
from sinks.table.dialect import Written
from sinks.table.postgres import copy as postgres_copy
from sinks.table.target import Target
from sinks.text.table_name import TableName
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.coverage import Coverage
from transforms.errors import ConfigError, Contention, SinkUnavailable

KEYED = "CREATE TABLE events (id integer PRIMARY KEY, name text)"


VALUES: list[tuple[str, Any, str]] = [
    (
        "uuid",
        "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
        "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    ),
    ("uuid", uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    ("bigint", 2**63 - 1, "9223372036854775807"),
    ("bigint", Decimal("1E+2"), "100"),
    ("bigint", Decimal("3.0"), "3"),
    (
        "numeric",
        Decimal("123456789012345678901234567890.12345"),
        "123456789012345678901234567890.12345",
    ),
    ("numeric", 10**30, "1" + "0" * 30),
    ("numeric", "1.10", "1.10"),
    ("numeric", float("nan"), "NaN"),
    ("double precision", 0.1, "0.1"),
    ("boolean", True, "true"),
    ("boolean", "false", "false"),
    ("text", True, "true"),
    ("text", 1, "1"),
    ("text", {"a": [1]}, '{"a":[1]}'),
    ("timestamptz", "2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05+00"),
    (
        "timestamptz",
        datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
        "2026-01-02 03:04:05.000006+00",
    ),
    ("date", datetime.date(2026, 1, 2), "2026-01-02"),
    ("time", datetime.time(3, 4), "03:04:00"),
    ("bytea", b"\x00\xff\\", "\\x00ff5c"),
    (
        "jsonb",
        {"a": 'q"\\\t\n', "b": Decimal("1.50")},
        '{"a": "q\\"\\\\\\t\\n", "b": 1.50}',
    ),
    ("jsonb", "text", '"text"'),
    ("jsonb", 10**30, "1" + "0" * 30),
    (
        "text[]",
        ["a", None, 'q"\\', "NULL", "", "x,y\t"],
        '{a,NULL,"q\\"\\\\","NULL","","x,y\t"}',
    ),
    ("integer[]", [[1, 2], [3, Decimal("4.0")]], "{{1,2},{3,4}}"),
    ("jsonb[]", [{"a": 1}, [2]], '{"{\\"a\\": 1}",[2]}'),
    ("text[]", [], "{}"),
    ("inet", "10.0.0.1", "10.0.0.1/32"),
]
"""Declared type, value as parsed, and how PostgreSQL shows it."""


REFUSED: list[tuple[str, Any, Any, str]] = [
    ("integer", 1, "x", "22P02"),
    ("integer", 1, Decimal("1.5"), "22P02"),
    ("integer", 1, 2**40, "22003"),
    ("varchar(3)", "abc", "long", "22001"),
    ("timestamptz", "2026-01-01", "yesterday-ish", "22007"),
    ("numeric(4,2)", 1, 1000, "22003"),
    ("jsonb", 1, "\x00", "22P05"),
    ("integer NOT NULL", 1, None, "23502"),
    ("integer CHECK (v > 0)", 1, -1, "23514"),
    ("integer REFERENCES parents", 1, 404, "23503"),
    ("integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED", 1, 404, "23503"),
]
"""Declared type, a good value, a bad one, and the SQLSTATE that the bad one gets."""


class TestTypes:
    def test_values_arrive_as_they_are(self, postgres: Database) -> None:
        names = [f"v{i}" for i in range(len(VALUES))]
        columns = ", ".join(
            f"{name} {declared}" for name, (declared, _, _) in zip(names, VALUES, strict=True)
        )
        postgres.run(f"CREATE TABLE events (id integer PRIMARY KEY, {columns})")
        sink = postgres.sink(key=["id"])
        full = {name: value for name, (_, value, _) in zip(names, VALUES, strict=True)}
        values = [{"id": 1, **full}, {"id": 2, **dict.fromkeys(names)}, {"id": 3, **full}]
        (settled,) = sink.commit([make_batch(values)])
        assert [dead.message for dead in settled.dead] == []
        shown = ", ".join(f"{name}::text" for name in names)
        rows = postgres.rows(
            f"SELECT {shown} FROM set_config('TimeZone', 'UTC', false), events ORDER BY id"
        )
        expected = tuple(shown for _, _, shown in VALUES)
        assert rows == [expected, (None,) * len(VALUES), expected]

    @pytest.mark.parametrize("there", [False, True], ids=["straight", "staged"])
    def test_what_the_database_refuses_stands_alone(self, postgres: Database, there: bool) -> None:
        postgres.run(
            "CREATE TABLE parents (id integer PRIMARY KEY)", "INSERT INTO parents VALUES (1)"
        )
        for number, (declared, good, bad, sqlstate) in enumerate(REFUSED):
            postgres.run(f"CREATE TABLE t{number} (id integer PRIMARY KEY, v {declared})")
            sink = postgres.sink(f"t{number}", key=["id"])
            if there:  # a key that is there already sends the batch through the staging table
                sink.commit([make_batch([{"id": 0, "v": good}], source="before")])
            values = [{"id": i, "v": bad if i in (3, 7) else good} for i in range(10)]
            (settled,) = sink.commit([make_batch(values)])
            became = "retry" if sqlstate == "23503" else "dead"  # the parent may still come
            expected = {"read": 10, "inserted": 8, became: 2}
            if there:
                expected = {"read": 10, "inserted": 7, "duplicates": 1, became: 2}
            assert (declared, counts(settled)) == (declared, expected)
            refused = (*settled.dead, *settled.retry)
            found = [(failure.origin.offset, failure.sqlstate) for failure in refused]
            assert (declared, found) == (declared, [(3, sqlstate), (7, sqlstate)])

    @pytest.mark.parametrize("text", ["a\x00b", "\x00"])
    def test_nul_in_text_is_data_that_cannot_be_stored(self, postgres: Database, text: str) -> None:
        postgres.run(KEYED)
        sink = postgres.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": text}, {"id": 3}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        assert (settled.dead[0].category, settled.dead[0].origin.offset) == ("data", 1)

    def test_a_generated_column_cannot_be_given(self, postgres: Database) -> None:
        postgres.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY,"
            " d integer GENERATED ALWAYS AS (id * 2) STORED)"
        )
        sink = postgres.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1}, {"id": 2, "d": 4}, {"id": 3, "n": 1}])])
        assert counts(settled) == {"read": 3, "inserted": 1, "dead": 2}
        assert "generated by the database" in settled.dead[0].message
        assert postgres.rows("SELECT * FROM events") == [(1, 1, 2)]

    def test_a_misleading_table_name_puts_no_blame_on_good_rows(self, postgres: Database) -> None:
        postgres.run('CREATE TABLE "t, line 1, x" (id integer PRIMARY KEY, v integer)')
        sink = postgres.sink("t, line 1, x", key=["id"])
        values = [{"id": i, "v": "x" if i == 3 else "1"} for i in range(5)]
        (settled,) = sink.commit([make_batch(values)])
        assert [dead.origin.offset for dead in settled.dead] == [3]

    def test_a_trigger_may_refuse_a_record(self, postgres: Database) -> None:
        postgres.run(
            KEYED,
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.name = 'bad' THEN RAISE EXCEPTION 'no % here', NEW.id; END IF; RETURN NEW; "
            "END $$",
            "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        sink = postgres.sink(key=["id"])
        values = [{"id": i, "name": "bad" if i == 2 else "good"} for i in range(5)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 5, "inserted": 4, "dead": 1}
        (dead,) = settled.dead
        assert (dead.category, dead.sqlstate) == ("trigger", "P0001")
        assert dead.message == "no 2 here"

    def test_a_message_shows_no_other_row(self, postgres: Database) -> None:
        postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v integer)")
        sink = postgres.sink(key=["id"])
        values: list[dict[str, Any]] = [
            {"id": 1, "v": "private-1"},
            {"id": 2, "v": 5},
            {"id": 3, "v": "private-3"},
        ]
        (settled,) = sink.commit([make_batch(values)])
        first, second = settled.dead
        assert "private-1" in first.message
        assert "column v" in first.message
        assert "private-3" not in first.message + first.stack
        assert "private-1" not in second.message + second.stack


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


class TestStraight:
    """The straight way is left alone after collisions, for longer each time."""

    def test_collisions_pause_it_for_twice_as_long_each_time(self) -> None:
        target = Target(
            table=TableName("adaptive"),
            label="adaptive",
            columns=(),
            generated=frozenset(),
            key=("id",),
            origin_key=False,
            whole_payload=False,
            on_conflict=OnConflict(),
            unknown_fields="reject",
        )
        tried = []
        for commit in range(1, 100):
            skipped = postgres_copy.skipped(target)
            postgres_copy.committed(target, Written([0], [0], collided=None if skipped else True))
            if not skipped:
                tried.append(commit)
        assert tried == [1, 3, 6, 11, 20, 37, 70]
        while postgres_copy.skipped(target):
            postgres_copy.committed(target, Written([0], [0]))
        postgres_copy.committed(target, Written([1], [0], collided=False))
        assert not postgres_copy.skipped(target)
        postgres_copy.committed(target, Written([0], [0], collided=True))
        postgres_copy.committed(target, Written([0], [0]))
        assert not postgres_copy.skipped(target)

    def test_records_that_the_ledger_has_are_no_collision(self, postgres: Database) -> None:
        postgres.run(KEYED)
        sink = postgres.sink(key=["id"])
        values = [{"id": i} for i in range(20)]
        sink.commit([make_batch(values[:10])])
        sink.commit([make_batch(values[5:], 5)])
        staged = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
        assert postgres.rows(staged) == [(0,)]
        sink.commit([make_batch(values[:1], source="other")])
        assert postgres.rows(staged) == [(1,)]


class TestConcurrency:
    @pytest.mark.parametrize("filtered", [False, True], ids=["rows", "filtered"])
    def test_four_writers_of_one_range_count_it_once(
        self, postgres: Database, filtered: bool
    ) -> None:
        # Filtered records leave no row on which the writers would wait for each other.
        sink = postgres.sink()
        start = threading.Barrier(4)

        def write(worker: int) -> list[dict[str, int]]:
            start.wait()
            done = []
            position = 0
            while position < 400:
                stop = min(400, position + 10 + 3 * worker)
                numbers = range(position, stop)
                batch = (
                    make_batch([], position, filtered=len(numbers))
                    if filtered
                    else make_batch([{"n": i} for i in numbers], position)
                )
                try:
                    done.append(counts(*sink.commit([batch])))
                except Contention:
                    continue
                position = stop
            return done

        with ThreadPoolExecutor(4) as threads:
            settled = [each for part in threads.map(write, range(4)) for each in part]
        total = {
            name: sum(each.get(name, 0) for each in settled)
            for name in ("read", "inserted", "filtered", "duplicates", "trimmed")
        }
        assert total == {
            "read": 400,
            "inserted": 0 if filtered else 400,
            "filtered": 400 if filtered else 0,
            "duplicates": 0,
            "trimmed": 1200,
        }
        rows = 0 if filtered else 400
        assert postgres.rows("SELECT count(*) FROM events") == [(rows,)]
        assert postgres.rows(
            "SELECT start_offset, end_offset, read, inserted FROM ingest_progress"
        ) == [(0, 400, 400, rows)]

    @pytest.mark.parametrize(
        "declared",
        [
            "id integer PRIMARY KEY",
            "id integer PRIMARY KEY, u integer UNIQUE",
            "id numeric PRIMARY KEY",
        ],
        ids=["plain", "entangled", "spelt"],
    )
    def test_writers_of_the_same_keys_in_other_orders_do_not_lock_each_other_out(
        self, postgres: Database, declared: str
    ) -> None:
        postgres.run(
            f"CREATE TABLE events ({declared}, name text)",
            "INSERT INTO events (id) SELECT generate_series(0, 299)",
        )
        sink = postgres.sink(key=["id"], on_conflict="update")
        start = threading.Barrier(3)

        def write(worker: int) -> int:
            start.wait()
            rng = random.Random(worker)
            updated = 0
            for number in range(10):
                ids = rng.sample(range(300), 200)
                batch = make_batch(
                    [{"id": i, "name": f"{worker}"} for i in ids], source=f"{worker}/{number}"
                )
                (settled,) = sink.commit([batch])  # a deadlock would raise Contention
                updated += settled.updated
            return updated

        with ThreadPoolExecutor(3) as threads:
            assert list(threads.map(write, range(3))) == [2000] * 3

    def test_a_deadlock_is_contention_and_the_next_try_works(self, postgres: Database) -> None:
        postgres.run(KEYED, "INSERT INTO events VALUES (1, 'a'), (2, 'b')")
        sink = postgres.sink(key=["id"], on_conflict="update")
        batch = make_batch([{"id": 1, "name": "x"}, {"id": 2, "name": "x"}])
        with closing(postgres.connect()) as other, ThreadPoolExecutor(1) as thread:
            cursor = other.cursor()
            cursor.execute("SET deadlock_timeout = '10s'")  # the sink notices first
            cursor.execute("UPDATE events SET name = 'o' WHERE id = 2")
            blocked = thread.submit(sink.commit, [batch])
            _wait_for_lock(postgres)
            cursor.execute("UPDATE events SET name = 'o' WHERE id = 1")
            with pytest.raises(Contention, match="deadlock"):
                blocked.result()
            other.rollback()
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 2, "updated": 2}

    def test_a_killed_connection_is_an_outage_and_the_next_commit_works(
        self, postgres: Database
    ) -> None:
        postgres.run(KEYED)
        sink = postgres.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}])])
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'sluice'"
        )
        batch = make_batch([{"id": 2}], 1)
        with pytest.raises(SinkUnavailable, match="cannot reach postgresql database"):
            sink.commit([batch])
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 1, "inserted": 1}

    def test_a_statement_that_takes_too_long_is_contention(self, postgres: Database) -> None:
        postgres.run(KEYED, "INSERT INTO events VALUES (1, 'a')")
        sink = postgres.sink(key=["id"], on_conflict="update", statement_timeout=1)
        batch = make_batch([{"id": 1, "name": "x"}])
        with closing(postgres.connect()) as other:
            other.cursor().execute("UPDATE events SET name = 'o' WHERE id = 1")
            with pytest.raises(Contention, match="statement timeout"):
                sink.commit([batch])
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 1, "updated": 1}


def _wait_for_lock(postgres: Database) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for _ in range(500):
        if postgres.rows(query) != [(0,)]:
            return
        threading.Event().wait(0.02)
    raise AssertionError("nobody waits for a lock")


class TestRefusals:
    def test_a_missing_database_is_a_configuration_error(self, postgres_server: str) -> None:
        url = postgres_server.replace("/postgres?", "/nosuch?")
        with pytest.raises(ConfigError, match='database "nosuch" does not exist'):
            Database("postgres", url).sink(key=["id"])

    def test_a_missing_permission_is_a_configuration_error(self, postgres: Database) -> None:
        postgres.run(
            KEYED,
            "DROP ROLE IF EXISTS reader",
            "CREATE ROLE reader LOGIN",
        )
        try:
            url = postgres.url.replace("postgres:@", "reader:@")
            with pytest.raises(ConfigError, match="permission denied"):
                Database("postgres", url).sink(key=["id"])
        finally:
            postgres.run("DROP ROLE reader")

    def test_a_wrong_password_would_not_be_waited_for(self) -> None:
        from psycopg2 import OperationalError

        from sinks.database.classify import classify

        error = OperationalError('FATAL:  password authentication failed for user "a"')
        assert classify(error).kind == "fatal"
