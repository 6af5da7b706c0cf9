"""The rows that wait to be published: what is read, who may, what is marked and deleted."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database import leases
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import leases as leases_table
from sinks.database.tables import outbox
from sinks.outbox import queue as outbox_queue
from sinks.outbox.queue import SqlOutboxQueue
from sinks.outbox.rows import shard_of
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError
from transforms.route.table_name import TableName

Elsewhere = Callable[..., None]
TABLE = "CREATE TABLE {} (id integer PRIMARY KEY, seen integer)"
ALL = BatchLimits()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def database(request: pytest.FixtureRequest) -> Database:
    chosen: Database = request.getfixturevalue(
        "postgres" if request.param == "postgres" else "sqlite_database"
    )
    return chosen


def fill(database: Database, *keys: int, table: str = "events", start: int = 0) -> SqlOutboxQueue:
    """Make a change of each key; returns the queue of the table."""
    database.run(TABLE.format(table).replace("TABLE", "TABLE IF NOT EXISTS"))
    sink = replace(database.sink(table, key=["id"], on_conflict="update"), outbox=True)
    for offset, key in enumerate(keys, start):
        sink.commit([make_batch([{"id": key, "seen": offset}], offset)])
    return SqlOutboxQueue(sink.config.database, sink.config.table_name)


def read(queue: SqlOutboxQueue, *taken: int, limits: BatchLimits = ALL) -> list[int]:
    batch, _ = queue.read(0, 1, limits, set(taken))
    return [] if batch is None else list(batch.offsets)


def alive(database: Database) -> list[str]:
    """The leases that have not run out."""
    with transaction(database.database, "test", write=False) as connection:
        query = sa.select(leases_table.c.name).where(
            leases_table.c.expires_at > dialect_of(connection).now(connection)
        )
        return list(connection.execute(query).scalars())


class TestRead:
    def test_rows_come_by_number_with_key_and_headers(self, database: Database) -> None:
        queue = fill(database, 7, 3)
        batch, unpublished = queue.read(0, 1, ALL, ())
        assert batch is not None
        assert unpublished == set()
        assert list(batch.offsets) == [1, 2]
        assert list(batch.raws) == [b'{"id":7,"seen":0}', b'{"id":3,"seen":1}']
        assert list(batch.keys or ()) == [b'{"id":7}', b'{"id":3}']
        assert batch.headers is not None
        headers = dict(batch.headers[1])
        name, number, microseconds = (headers.pop("idempotence-id") or b"").split(b":")
        assert (name, number) == (b"events", b"2")
        assert abs(int(microseconds) / 1e6 - time.time()) < 300
        assert headers == {
            "target": b"events",
            "operation": b"insert",
            "source": b"file:///a",
            "partition": b"p",
            "offset": b"1",
        }

    def test_what_is_taken_or_published_is_left_out(self, database: Database) -> None:
        queue = fill(database, *range(6))
        queue.mark([2, 5])
        batch, unpublished = queue.read(0, 1, ALL, {1, 2})
        assert batch is not None
        assert list(batch.offsets) == [3, 4, 6]
        assert unpublished == {1}
        assert queue.waiting() == 4

    def test_a_batch_is_bounded_by_rows_and_bytes(self, database: Database) -> None:
        queue = fill(database, *range(6))
        assert read(queue, limits=BatchLimits(4)) == [1, 2, 3, 4]
        assert read(queue, 1, 2, limits=BatchLimits(3)) == [3, 4, 5]
        size = len(b'{"id":0,"seen":0}' + b'{"id":0}')
        assert read(queue, limits=BatchLimits(bytes=2 * size)) == [1, 2]
        assert read(queue, limits=BatchLimits(bytes=1)) == [1]

    def test_splits_are_disjoint_and_have_all(self, database: Database) -> None:
        queue = fill(database, *range(40))
        parts = [queue.read(number, 3, ALL, ())[0] for number in range(3)]
        read_by = [set(part.offsets) for part in parts if part is not None]
        assert len(read_by) == 3
        assert sum(map(len, read_by)) == 40
        assert set.union(*read_by) == set(range(1, 41))
        for number, part in enumerate(parts):
            assert part is not None
            assert {shard_of((key or b"").decode()) % 3 for key in part.keys or ()} == {number}

    def test_one_table_or_all(self, database: Database) -> None:
        events = fill(database, 1, 2)
        fill(database, 1, 2, table="others")
        assert read(events) == [1, 2]
        assert read(replace(events, table=None)) == [1, 2, 3, 4]

    def test_a_transaction_that_commits_late_is_not_overtaken(self, postgres: Database) -> None:
        queue = fill(postgres, 1)
        with closing(postgres.connect()) as late:
            late.cursor().execute(
                "INSERT INTO ingest_outbox (target, key, shard, operation, source, partition, "
                '"offset", payload, created_at) '
                "SELECT target, '{\"id\":9}', shard, 'insert', 'late', '', 0, payload, now() "
                "FROM ingest_outbox"
            )
            queue = fill(postgres, 2, start=5)
            taken = read(queue)
            assert taken == [1, 3]
            late.commit()
        fill(postgres, 9, start=6)
        # The later change of key 9 is there too: the one that came late is before it.
        assert read(queue, *taken) == [2, 4]
        queue.mark([1, 3])
        assert read(queue) == [2, 4]

    @pytest.mark.parametrize("analyzed", [False, True])
    def test_it_goes_by_the_index_of_what_waits(self, database: Database, analyzed: bool) -> None:
        """Else every look would pass by all that was ever published, or sort all that waits."""
        queue = fill(database, 1)
        with transaction(queue.database, "test") as connection:
            row = dict(connection.execute(sa.select(outbox)).mappings().one())
            del row["id"]
            at = dialect_of(connection).now(connection)
            connection.execute(sa.insert(outbox), [{**row, "published_at": at}] * 5_000)
            connection.execute(sa.insert(outbox), [row] * 50)
            if analyzed and database.kind == "postgres":
                connection.exec_driver_sql("ANALYZE ingest_outbox")
        plans = []

        def explain(_conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if "ORDER BY" in statement and "EXPLAIN" not in statement:
                explained = "EXPLAIN " if database.kind == "postgres" else "EXPLAIN QUERY PLAN "
                cursor.execute(explained + statement, parameters)
                plans.append(str(cursor.fetchall()))

        with transaction(queue.database, "test", write=False) as connection:
            engine = connection.engine
        sa.event.listen(engine, "before_cursor_execute", explain)
        assert len(read(queue)) == 51
        assert len(read(replace(queue, table=None))) == 51
        queue.read(1, 4, ALL, ())
        sa.event.remove(engine, "before_cursor_execute", explain)
        assert len(plans) >= 5
        assert all("ingest_outbox_unpublished" in plan for plan in plans), plans
        assert not any("Sort" in plan or "TEMP B-TREE" in plan for plan in plans), plans

    def test_the_number_of_a_deleted_row_is_not_given_again(self, database: Database) -> None:
        queue = fill(database, 1, 2)
        queue.mark([1, 2])
        assert queue.prune(timedelta(0)) == 2
        fill(database, 3, start=2)
        assert read(queue) == [3]

    @pytest.mark.without_tables
    def test_a_database_without_an_outbox_is_said_to_have_none(self, database: Database) -> None:
        queue = SqlOutboxQueue(database.database, TableName("events"))
        with pytest.raises(ConfigError, match="--outbox` first"):
            queue.check()


class TestPrune:
    def test_only_what_was_published_long_enough_ago_is_deleted(self, database: Database) -> None:
        queue = fill(database, 1, 2, 3)
        queue.mark([1, 2])
        with transaction(queue.database, "test") as connection:
            old = dialect_of(connection).now(connection) - timedelta(days=8)
            connection.execute(sa.update(outbox).where(outbox.c.id == 1).values(published_at=old))
        assert queue.prune(timedelta(days=7)) == 1
        assert database.rows("SELECT id FROM ingest_outbox ORDER BY id") == [(2,), (3,)]

    def test_only_of_its_own_table(self, database: Database) -> None:
        events, others = fill(database, 1), fill(database, 1, table="others")
        events.mark([1])
        others.mark([2])
        assert events.prune(timedelta(0)) == 1
        assert replace(events, table=None).prune(timedelta(0)) == 1

    def test_maintenance_keeps_all_unless_told(self, database: Database) -> None:
        queue = fill(database, 1)
        queue.mark([1])
        queue.maintain()
        assert database.rows("SELECT count(*) FROM ingest_outbox") == [(1,)]
        replace(queue, retain=timedelta(0)).maintain()
        assert database.rows("SELECT count(*) FROM ingest_outbox") == [(0,)]

    def test_maintenance_deletes_at_most_once_a_minute(self, database: Database) -> None:
        queue = replace(fill(database, 1), retain=timedelta(0))
        queue.mark([1])
        queue.maintain()
        fill(database, 2, start=1)
        queue.mark([2])
        queue.maintain()
        assert database.rows("SELECT id FROM ingest_outbox") == [(2,)]
        outbox_queue.release_all()
        queue.maintain()
        assert database.rows("SELECT id FROM ingest_outbox") == [], "the next pipeline has its turn"


class TestHold:
    @pytest.fixture
    def elsewhere(self, database: Database) -> Elsewhere:
        """Puts a lease of another process into the table."""

        def enter(name: str, seconds: float = 60) -> None:
            with transaction(database.database, "test") as connection:
                ends = dialect_of(connection).now(connection) + timedelta(seconds=seconds)
                row = {"name": name, "holder": "elsewhere", "expires_at": ends}
                connection.execute(sa.insert(leases_table), [row])

        return enter

    @pytest.fixture(autouse=True)
    def clean(self) -> Any:
        yield
        leases.held_leases.clear()  # the database may be gone
        outbox_queue.release_all()

    @pytest.mark.parametrize(
        ("other", "own_part"),
        [
            ("outbox:events:0/1", (0, 1)),
            ("outbox:events:0/1", (3, 4)),
            ("outbox:*:0/1", (0, 4)),
            ("outbox:events:1/2", (3, 4)),
            ("outbox:events:2/3", (1, 4)),
        ],
    )
    def test_a_part_that_another_has_in_part_is_refused(
        self,
        database: Database,
        elsewhere: Elsewhere,
        other: str,
        own_part: tuple[int, int],
    ) -> None:
        queue = fill(database)
        elsewhere(other)
        assert not queue.hold(*own_part)
        assert alive(database) == [other]

    @pytest.mark.parametrize(
        ("other", "own_part"),
        [
            ("outbox:others:0/1", (0, 1)),
            ("outbox:events:1/4", (0, 4)),
            ("outbox:events:1/2", (2, 4)),
            ("jobs:events:host:1", (0, 1)),
        ],
    )
    def test_other_parts_do_not_matter(
        self,
        database: Database,
        elsewhere: Elsewhere,
        other: str,
        own_part: tuple[int, int],
    ) -> None:
        queue = fill(database)
        elsewhere(other)
        assert queue.hold(*own_part)

    def test_all_tables_have_one_in_common_with_each(
        self, database: Database, elsewhere: Elsewhere
    ) -> None:
        queue = replace(fill(database), table=None)
        elsewhere("outbox:events:0/1")
        assert not queue.hold(0, 1)

    def test_who_has_it_keeps_it_while_another_tries(
        self, database: Database, elsewhere: Elsewhere
    ) -> None:
        queue = fill(database)
        assert queue.hold(0, 1)
        elsewhere("outbox:events:1/2")
        assert queue.hold(0, 1)

    def test_a_lease_that_ran_out_is_taken_over(
        self, database: Database, elsewhere: Elsewhere
    ) -> None:
        queue = fill(database)
        elsewhere("outbox:events:0/1", -1)
        elsewhere("outbox:events:1/2", -1)
        assert queue.hold(0, 1)

    def test_what_is_released_is_free(self, database: Database) -> None:
        queue = fill(database)
        assert queue.hold(1, 4)
        queue.release(1, 4)
        assert alive(database) == []
        assert queue.hold(2, 4)
        outbox_queue.release_all()
        assert alive(database) == []
