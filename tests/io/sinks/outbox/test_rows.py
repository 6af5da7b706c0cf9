"""The outbox: one row for every row that a commit makes or changes, in the same transaction."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sinks.jobs.queue import SqlJobQueue
from sinks.outbox.rows import shard_of
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, await_lock, counts, make_batch
from transforms.batch.record import JSON, Failure, Origin
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import SinkUnavailable
from transforms.steps.pipeline_identity import PipelineIdentity

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"
QUERY = (
    'SELECT id, target, key, operation, source, partition, "offset", payload, shard '
    "FROM ingest_outbox ORDER BY id"
)


def outbox_sink(database: Database, **options: Any) -> SqlSink:
    sink = replace(database.sink(**options), outbox=True)
    sink.prepare()
    return sink


def rows(database: Database) -> list[dict[str, Any]]:
    names = ("id", "target", "key", "operation", "source", "partition", "offset", "payload")
    messages = []
    for *cells, shard in database.rows(QUERY):
        row = dict(zip(names, cells, strict=True))
        row["payload"] = json.loads(bytes(row["payload"]))
        row["key"] = json.loads(row["key"])
        assert shard == shard_of(cells[2])
        messages.append(row)
    return messages


def changes(database: Database) -> list[tuple[Any, ...]]:
    """Key, operation, offset and value of each row, in order."""
    return [
        (row["key"]["id"], row["operation"], row["offset"], row["payload"])
        for row in rows(database)
    ]


def effects(database: Database) -> list[tuple[Any, str]]:
    return [(row["key"]["id"], row["operation"]) for row in rows(database)]


def values(*ids: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": i, **fields} for i in ids]


class TestInserts:
    def test_every_new_row_is_there_once_in_the_order_of_the_batch(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"])
        written = [{"id": i, "name": f'a\\b\t"{i}'} for i in (5, 3, 9)]
        sink.commit([make_batch(written, 10)])
        stored = rows(database)
        assert [row["id"] for row in stored] == sorted(row["id"] for row in stored)
        assert [{name: row[name] for name in row if name != "id"} for row in stored] == [
            {
                "target": "events",
                "key": {"id": value["id"]},
                "operation": "insert",
                "source": "file:///a",
                "partition": "p",
                "offset": 10 + number,
                "payload": value,
            }
            for number, value in enumerate(written)
        ]

    def test_without_being_asked_for_there_is_nothing(self, database: Database) -> None:
        database.run(TABLE)
        database.sink(key=["id"]).commit([make_batch(values(1, 2))])
        assert rows(database) == []

    def test_rows_of_many_batches_name_the_origin_of_their_own(self, database: Database) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"])
        sink.commit(
            [
                make_batch(values(1, 2), 7, source="file:///x"),
                make_batch([], source="file:///y", final=True),
                make_batch(values(3), 4, source="file:///z", partition="q"),
            ]
        )
        stored = [
            (row["key"]["id"], row["source"], row["partition"], row["offset"])
            for row in rows(database)
        ]
        assert stored == [
            (1, "file:///x", "p", 7),
            (2, "file:///x", "p", 8),
            (3, "file:///z", "q", 4),
        ]

    def test_a_table_without_a_key_has_the_origin_as_its_key(self, database: Database) -> None:
        sink = outbox_sink(database)
        sink.commit([make_batch([{"a": 1}, {"a": 2}], 5)])
        assert [row["key"] for row in rows(database)] == [
            {"ingest_source": "file:///a", "ingest_partition": "p", "ingest_offset": offset}
            for offset in (5, 6)
        ]
        assert [row["payload"] for row in rows(database)] == [{"a": 1}, {"a": 2}]

    def test_a_key_of_several_columns_keeps_their_order(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer, b text, PRIMARY KEY (id, b))")
        sink = outbox_sink(database, key=["b", "id"])
        sink.commit([make_batch([{"id": 1, "b": "x"}])])
        assert database.rows("SELECT key FROM ingest_outbox") == [('{"b":"x","id":1}',)]

    def test_spellings_of_one_integer_are_one_key(self, postgres: Database) -> None:
        postgres.run(TABLE)
        sink = outbox_sink(postgres, key=["id"], on_conflict="update")
        for offset, spelt in enumerate((7, "7", 7.0)):
            sink.commit([make_batch([{"id": spelt, "seen": offset}], offset)])
        assert postgres.rows("SELECT key FROM ingest_outbox") == [('{"id":7}',)] * 3


class TestWhatChangesNothing:
    @pytest.mark.parametrize("mode", ["ignore", "update", "newest:seen"])
    def test_a_batch_committed_again_adds_nothing(self, database: Database, mode: str) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"], on_conflict=mode)
        batch = make_batch(values(1, 2, seen=1))
        sink.commit([batch])
        sink.commit([batch])
        assert effects(database) == [(1, "insert"), (2, "insert")]

    def test_duplicates_add_nothing(self, database: Database) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"])
        sink.commit([make_batch(values(1, 2))])
        (settled,) = sink.commit([make_batch(values(2, 3, 3, 1, 4), source="b")])
        assert counts(settled) == {"read": 5, "inserted": 2, "duplicates": 3}
        assert [(key, operation, offset) for key, operation, offset, _ in changes(database)] == [
            (1, "insert", 0),
            (2, "insert", 1),
            (3, "insert", 1),
            (4, "insert", 4),
        ]

    def test_a_refused_row_adds_nothing_and_its_neighbours_do(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, n integer CHECK (n < 100))")
        sink = outbox_sink(database, key=["id"], on_conflict="update")
        sink.commit([make_batch([{"id": 0, "n": 1}])])
        batch = make_batch([{"id": i, "n": 500 if i in (3, 70) else i % 50} for i in range(200)])
        (settled,) = sink.commit([replace(batch, span=replace(batch.span, source="b"))])
        assert counts(settled) == {"read": 200, "inserted": 197, "updated": 1, "dead": 2}
        stored = effects(database)
        assert stored[0] == (0, "insert")
        assert stored[1:] == [
            (i, "update" if i == 0 else "insert") for i in range(200) if i not in (3, 70)
        ]

    def test_failures_and_filtered_records_add_nothing(self, database: Database) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"])
        sink.commit([make_batch(values(1), failures=[failure(1)], filtered=2)])
        assert effects(database) == [(1, "insert")]

    def test_what_is_rolled_back_leaves_nothing(self, database: Database) -> None:
        database.run(TABLE)
        broken = Broken()
        sink = replace(outbox_sink(database, key=["id"]), dead_letters=broken)
        batch = make_batch(values(1, 2), failures=[failure(2)])
        with pytest.raises(SinkUnavailable):
            sink.commit([batch])
        assert database.rows("SELECT count(*) FROM events") == [(0,)]
        assert rows(database) == []
        replace(sink, dead_letters=None).commit([batch])
        assert effects(database) == [(1, "insert"), (2, "insert")]


class TestUpdates:
    def test_new_and_changed_rows_are_told_apart(self, database: Database) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"], on_conflict="update")
        sink.commit([make_batch(values(2, 4, name="old"))])
        (settled,) = sink.commit([make_batch(values(1, 2, 3, 4, name="new"), source="b")])
        assert counts(settled) == {"read": 4, "inserted": 2, "updated": 2}
        assert changes(database)[2:] == [
            (1, "insert", 0, {"id": 1, "name": "new"}),
            (2, "update", 1, {"id": 2, "name": "new"}),
            (3, "insert", 2, {"id": 3, "name": "new"}),
            (4, "update", 3, {"id": 4, "name": "new"}),
        ]

    def test_of_two_with_one_key_the_last_is_there_with_the_fields_of_both(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"], on_conflict="update")
        sink.commit(
            [make_batch([{"id": 1, "name": "a", "seen": 1}, {"id": 2}, {"id": 1, "seen": 2}])]
        )
        assert changes(database) == [
            (2, "insert", 1, {"id": 2}),
            (1, "insert", 2, {"name": "a", "id": 1, "seen": 2}),
        ]

    def test_only_the_newest_that_changed_the_row_is_there(self, database: Database) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"], on_conflict="newest:seen")
        sink.commit([make_batch([{"id": 1, "seen": 5}, {"id": 2, "seen": 5}])])
        (settled,) = sink.commit(
            [
                make_batch(
                    [
                        {"id": 1, "seen": 7},
                        {"id": 2, "seen": 4},
                        {"id": 1, "seen": 9},
                        {"id": 1, "seen": 8},
                        {"id": 3, "seen": 1},
                    ],
                    source="b",
                )
            ]
        )
        assert counts(settled) == {"read": 5, "inserted": 1, "updated": 2, "duplicates": 2}
        assert changes(database)[2:] == [
            (1, "update", 2, {"id": 1, "seen": 9}),
            (3, "insert", 4, {"id": 3, "seen": 1}),
        ]

    def test_counts_by_batch_are_the_same_as_without(self, database: Database) -> None:
        database.run(TABLE)
        sink = outbox_sink(database, key=["id"], on_conflict="update")
        sink.commit([make_batch(values(1, 5))])
        settled = sink.commit(
            [
                make_batch(values(1, 2, 3, name="b"), source="b"),
                make_batch([], source="c", final=True),
                make_batch(values(4, 5, name="d"), source="d"),
            ]
        )
        assert [counts(each) for each in settled] == [
            {"read": 3, "inserted": 2, "updated": 1},
            {},
            {"read": 2, "inserted": 1, "updated": 1},
        ]

    @pytest.mark.parametrize("mode", ["ignore", "update"])
    def test_a_partitioned_table(self, postgres: Database, mode: str) -> None:
        postgres.run(
            "CREATE TABLE events (id integer PRIMARY KEY, name text) PARTITION BY RANGE (id)",
            "CREATE TABLE low PARTITION OF events FOR VALUES FROM (0) TO (3)",
            "CREATE TABLE high PARTITION OF events FOR VALUES FROM (3) TO (9)",
        )
        sink = outbox_sink(postgres, key=["id"], on_conflict=mode)
        sink.commit([make_batch(values(1, 4))])
        sink.commit([make_batch(values(1, 2, 4, 5, name="b"), source="b")])
        again = [(1, "update"), (2, "insert"), (4, "update"), (5, "insert")]
        expected = again if mode == "update" else [(2, "insert"), (5, "insert")]
        assert effects(postgres)[2:] == expected


def test_a_retry_that_succeeds_is_there_with_its_own_origin(database: Database) -> None:
    database.run(TABLE)
    sink = replace(outbox_sink(database, key=["id"]), retry=RetryPolicy(max_attempts=3))
    sink = replace(sink, pipeline=PipelineIdentity())
    now = replace(failure(1, raw=b'{"id":2}'), transient=True, snooze=0.001)
    sink.commit([make_batch(values(1), failures=[now])])
    assert effects(database) == [(1, "insert")]
    queue = SqlJobQueue(sink.config, pipeline=PipelineIdentity())
    lease = queue.lease()
    claimed: Sequence[Any] = ()
    while not claimed:
        claimed = queue.claim(lease, BatchLimits())
    parsed = [replace(each, values=list(map(json.loads, each.raws))) for each in claimed]
    sink.commit(parsed)
    assert changes(database) == [
        (1, "insert", 0, {"id": 1}),
        (2, "insert", 1, {"id": 2}),
    ]
    sink.commit(parsed)
    assert len(rows(database)) == 2


def test_numbers_of_one_key_ascend_though_commits_overlap(postgres: Database) -> None:
    """The second writer waits for the row, and numbers its change after the first one's."""
    postgres.run(TABLE)
    sink = outbox_sink(postgres, key=["id"], on_conflict="update")
    sink.commit([make_batch(values(1, seen=0))])
    with closing(postgres.connect()) as other:
        other.cursor().execute("UPDATE events SET seen = 1 WHERE id = 1")
        other.cursor().execute(
            "INSERT INTO ingest_outbox "
            '(target, key, shard, operation, source, partition, "offset", payload, created_at) '
            "VALUES ('events', '{\"id\":1}', 0, 'update', 'b', 'p', 0, '{\"seen\":1}', now())"
        )
        waiting = threading.Thread(
            target=sink.commit, args=([make_batch(values(1, seen=2), source="c")],)
        )
        waiting.start()
        await_lock(postgres)
        other.commit()
        waiting.join(30)
    stored = postgres.rows("SELECT payload FROM ingest_outbox ORDER BY id")
    assert [json.loads(bytes(payload))["seen"] for (payload,) in stored] == [0, 1, 2]


@dataclass(frozen=True)
class Broken:
    """A second place for dead letters that cannot be reached."""

    writes_to: str = "nowhere://"

    def check(self) -> None:
        return None

    def deliver(self, target: str, failures: Sequence[Failure]) -> None:
        raise SinkUnavailable("away")


def failure(offset: int, raw: bytes = b"{") -> Failure:
    return Failure(
        origin=Origin("file:///a", "p", offset),
        raw=raw,
        format=JSON,
        stage="parse",
        category="malformed",
        exception="DecodeError",
        message="not JSON",
        stack="",
    )
