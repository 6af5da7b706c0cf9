"""What only PostgreSQL has: locks, lost connections, permissions."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.io.sinks.tested_database import Database, await_lock, counts, make_batch
from transforms.errors import ConfigError, Contention, SinkUnavailable

KEYED = "CREATE TABLE events (id integer PRIMARY KEY, name text)"


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
                updated += settled.counts.updated
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
            await_lock(postgres)
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
