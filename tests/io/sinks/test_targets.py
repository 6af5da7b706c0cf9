"""The target is created once, remembered, and looked at again after a failure."""

from __future__ import annotations

import json
import pickle

import pytest

from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.errors import SinkFailed

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"


class TestPrepare:
    def test_a_missing_table_gets_key_and_payload(self, database: Database) -> None:
        sink = database.sink(key=["id", "kind"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "kind": "a", "x": {"y": 1.5}}, {"id": "1", "kind": "a"}])]
        )
        # The number 1 and the text "1" are one key: both are stored as text.
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}
        rows = database.rows("SELECT id, kind, CAST(payload AS text) FROM events")
        assert rows[0][:2] == ("1", "a")
        assert json.loads(rows[0][2]) == {"id": 1, "kind": "a", "x": {"y": 1.5}}

    def test_without_a_key_the_origin_is_the_key(self, database: Database) -> None:
        sink = database.sink()
        values = [{"a": 1}, {"a": 1}, {"b": 2}]
        (settled,) = sink.commit([make_batch(values, 10)])
        assert counts(settled) == {"read": 3, "inserted": 3}
        rows = database.rows(
            "SELECT ingest_source, ingest_partition, ingest_offset FROM events ORDER BY 3"
        )
        assert rows == [("file:///a", "p", 10), ("file:///a", "p", 11), ("file:///a", "p", 12)]

    def test_prepare_twice_changes_nothing(self, database: Database) -> None:
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}])])
        sink.prepare()
        assert database.rows("SELECT count(*) FROM events") == [(1,)]


class TestTargetIn:
    def test_commit_without_prepare_finds_the_table(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        elsewhere = pickle.loads(pickle.dumps(sink))
        (settled,) = elsewhere.commit([make_batch([{"id": 1}])])
        assert counts(settled) == {"read": 1, "inserted": 1}

    def test_a_dropped_table_fails_the_write_and_no_record(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        database.run("DROP TABLE events")
        with pytest.raises(SinkFailed, match="events"):
            sink.commit([make_batch([{"id": 1}])])
        assert database.rows("SELECT count(*) FROM ingest_jobs") == [(0,)]
        database.run(TABLE)
        (settled,) = sink.commit([make_batch([{"id": 1}])])
        assert counts(settled) == {"read": 1, "inserted": 1}
