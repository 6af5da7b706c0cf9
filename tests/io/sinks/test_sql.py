"""What every database must do alike: settle batches exactly once, by key."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from sinks.sql import SqlLedger
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.coverage import Coverage
from transforms.batch.record import JSON, Failure, Origin
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"


def failure(offset: int, *, transient: bool = False) -> Failure:
    return Failure(
        origin=Origin("file:///a", "p", offset),
        raw=b"{",
        format=JSON,
        stage="parse",
        category="malformed",
        exception="DecodeError",
        message="not JSON",
        stack="",
        transient=transient,
    )


class TestCommit:
    def test_records_become_rows(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])])
        assert counts(settled) == {"read": 2, "inserted": 2}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "a", None),
            (2, "b", None),
        ]

    def test_a_batch_committed_again_changes_nothing(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batch = make_batch([{"id": 1, "name": "a"}], failures=[failure(1)])
        sink.commit([batch])
        (again,) = sink.commit([batch])
        assert counts(again) == {"trimmed": 2}
        assert again.raw_bytes == 0
        assert database.rows("SELECT count(*) FROM events") == [(1,)]
        assert database.rows("SELECT count(*) FROM ingest_jobs") == [(1,)]

    def test_an_overlapping_batch_is_trimmed_to_what_is_new(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        values = [{"id": i} for i in range(10)]
        sink.commit([make_batch(values[2:5], 2)])
        (settled,) = sink.commit([make_batch(values, 0)])
        assert counts(settled) == {"read": 7, "inserted": 7, "trimmed": 3}
        assert SqlLedger(sink.config).coverage([("file:///a", "p")]) == {
            ("file:///a", "p"): Coverage(((0, 10),))
        }

    def test_overlapping_batches_of_one_commit_count_each_record_once(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        values = [{"id": i} for i in range(6)]
        first, second = sink.commit([make_batch(values[:4]), make_batch(values[2:], 2)])
        assert counts(first) == {"read": 4, "inserted": 4}
        assert counts(second) == {"read": 2, "inserted": 2, "trimmed": 2}

    def test_many_partitions_settle_in_one_commit(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batches = [
            make_batch([{"id": 2 * i}, {"id": 2 * i + 1}], source=f"s{i}", final=True)
            for i in range(300)
        ]
        settled = sink.commit(batches)
        assert [counts(each) for each in settled] == [{"read": 2, "inserted": 2}] * 300
        places = [(f"s{i}", "p") for i in range(300)]
        coverage = SqlLedger(sink.config).coverage(places)
        assert coverage == dict.fromkeys(places, Coverage(((0, 2),), 2))

    def test_the_same_keys_from_elsewhere_are_duplicates(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}, {"id": 2}])])
        (settled,) = sink.commit(
            [make_batch([{"id": 1}, {"id": 3}, {"id": 2}, {"id": 4}], source="other")]
        )
        assert counts(settled) == {"read": 4, "inserted": 2, "duplicates": 2}

    def test_counts_are_those_of_each_batch(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}, {"id": 5}])])
        settled = sink.commit(
            [
                make_batch([{"id": 1}, {"id": 2}, {"id": 3}], source="b"),
                make_batch([], source="c", final=True),
                make_batch([{"id": 3}, {"id": 4}, {"id": 5}], source="d"),
            ]
        )
        assert [counts(each) for each in settled] == [
            {"read": 3, "inserted": 2, "duplicates": 1},
            {},
            {"read": 3, "inserted": 1, "duplicates": 2},
        ]

    def test_failures_and_filtered_records_are_accounted_for(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        batch = make_batch(
            [{"id": 1}], failures=[failure(1), failure(2, transient=True)], filtered=3, end=6
        )
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 6, "inserted": 1, "filtered": 3, "dead": 1, "retry": 1}
        assert database.rows("SELECT state FROM ingest_jobs ORDER BY 1") == [
            ("discarded",),
            ("retryable",),
        ]

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


class TestOnConflict:
    def test_ignore_keeps_the_first_in_a_batch(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "name": "a"}, {"id": 2}, {"id": 1, "name": "b"}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "duplicates": 1}
        assert database.rows("SELECT name FROM events WHERE id = 1") == [("a",)]

    def test_update_lays_later_fields_over_earlier_ones(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"], on_conflict="update")
        (settled,) = sink.commit(
            [
                make_batch(
                    [
                        {"id": 1, "name": "a", "seen": 1},
                        {"id": 2, "name": "x"},
                        {"id": 1, "name": "b"},
                    ]
                )
            ]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "updated": 1}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "b", 1),
            (2, "x", None),
        ]

    def test_update_leaves_the_columns_of_missing_fields_alone(self, database: Database) -> None:
        database.run(TABLE, "INSERT INTO events VALUES (1, 'a', 1), (2, 'b', 2)")
        sink = database.sink(key=["id"], on_conflict="update")
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "seen": 9}, {"id": 2, "name": None}, {"id": 3, "name": "c"}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 1, "updated": 2}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "a", 9),
            (2, None, 2),
            (3, "c", None),
        ]

    def test_newest_wins_in_any_order(self, database: Database) -> None:
        database.run(
            TABLE, "INSERT INTO events VALUES (1, 'old', 5), (2, 'old', 5), (3, 'old', NULL)"
        )
        sink = database.sink(key=["id"], on_conflict="newest:seen")
        (settled,) = sink.commit(
            [
                make_batch(
                    [
                        {"id": 1, "name": "newer", "seen": 10},
                        {"id": 1, "name": "new", "seen": 6},
                        {"id": 2, "name": "older", "seen": 4},
                        {"id": 3, "name": "dated", "seen": 1},
                        {"id": 4, "name": "first", "seen": 7},
                        {"id": 4, "name": "tie", "seen": 7},
                        {"id": 5, "name": "undated", "seen": None},
                    ]
                )
            ]
        )
        assert counts(settled) == {"read": 7, "inserted": 2, "updated": 2, "duplicates": 3}
        assert database.rows("SELECT id, name FROM events ORDER BY id") == [
            (1, "newer"),
            (2, "old"),
            (3, "dated"),
            (4, "first"),
            (5, "undated"),
        ]

    def test_newest_compares_numbers_as_numbers(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"], on_conflict="newest:seen")
        sink.commit([make_batch([{"id": 1, "seen": 9, "name": "a"}])])
        (settled,) = sink.commit([make_batch([{"id": 1, "seen": 10, "name": "b"}], source="other")])
        assert counts(settled) == {"read": 1, "updated": 1}

    def test_a_composite_key_is_compared_as_a_whole(self, database: Database) -> None:
        database.run("CREATE TABLE events (a text, b integer, c text, PRIMARY KEY (b, a))")
        sink = database.sink(key=["a", "b"], on_conflict="update")
        sink.commit([make_batch([{"a": "x", "b": 1, "c": "1"}, {"a": "x", "b": 2, "c": "2"}])])
        (settled,) = sink.commit(
            [make_batch([{"a": "x", "b": 1, "c": "3"}, {"a": "y", "b": 1}], source="other")]
        )
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}

    def test_a_table_of_nothing_but_its_key_has_nothing_to_update(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        sink = database.sink(key=["id"], on_conflict="update")
        sink.commit([make_batch([{"id": 1}])])
        (settled,) = sink.commit([make_batch([{"id": 1}, {"id": 2}], source="other")])
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}


class TestColumns:
    def test_a_missing_field_takes_the_default_and_null_does_not(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text DEFAULT 'none')")
        sink = database.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1}, {"id": 2, "name": None}, {"id": 3, "name": "c"}, {"id": 4}])]
        )
        assert counts(settled) == {"read": 4, "inserted": 4}
        assert database.rows("SELECT * FROM events ORDER BY id") == [
            (1, "none"),
            (2, None),
            (3, "c"),
            (4, "none"),
        ]

    def test_a_field_without_a_column_rejects_its_record_only(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1}, {"id": 2, "extra": 1}, {"id": 3}])])
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        (dead,) = settled.dead
        assert (dead.stage, dead.category, dead.origin.offset) == ("write", "unknown_field", 1)
        assert "extra" in dead.message
        assert dead.raw == b'{"id":2,"extra":1}'

    def test_unknown_fields_can_be_ignored(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"], unknown_fields="ignore")
        (settled,) = sink.commit([make_batch([{"id": 1, "extra": 1}, {"id": 2}])])
        assert counts(settled) == {"read": 2, "inserted": 2}

    def test_unknown_fields_can_be_gathered_in_payload(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text, payload json)")
        sink = database.sink(key=["id"], unknown_fields="payload")
        sink.commit([make_batch([{"id": 1, "name": "a", "x": 1, "y": [2]}, {"id": 2}])])
        rows = database.rows("SELECT id, name, CAST(payload AS text) FROM events ORDER BY id")
        assert rows == [(1, "a", '{"x":1,"y":[2]}'), (2, None, None)]

    @pytest.mark.parametrize("value", [{"name": "a"}, {"id": None, "name": "a"}])
    def test_a_record_without_its_key_is_rejected(
        self, database: Database, value: dict[str, Any]
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": 1, "name": "b"}, value])])
        assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
        assert settled.dead[0].category == "key"

    def test_hostile_names_are_only_names(self, database: Database) -> None:
        database.run(
            'CREATE TABLE "we""ird %s; --" ("k""ey %(x)s" integer PRIMARY KEY, "a b:c?" text)'
        )
        sink = database.sink('we"ird %s; --', key=['k"ey %(x)s'], on_conflict="update")
        values = [{'k"ey %(x)s': i, "a b:c?": "v%s"} for i in range(3)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 3, "inserted": 3}
        (settled,) = sink.commit([make_batch(values, source="other")])
        assert counts(settled) == {"read": 3, "updated": 3}

    def test_hostile_text_is_only_text(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
        texts = ["", "\\N", "\\.", "a\tb", "a\nb", "a\r\n", "\\", "\\\\t", "'; DROP", "é🎉", "%s"]
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([make_batch([{"id": i, "name": t} for i, t in enumerate(texts)])])
        assert settled.counts.inserted == len(texts)
        assert [row[0] for row in database.rows("SELECT name FROM events ORDER BY id")] == texts


class TestPoison:
    def test_a_bad_row_does_not_take_the_batch_down(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text NOT NULL)")
        sink = database.sink(key=["id"])
        values: list[dict[str, Any]] = [{"id": i, "name": "a"} for i in range(100)]
        for bad in (0, 17, 18, 99):
            values[bad]["name"] = None
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 100, "inserted": 96, "dead": 4}
        assert [dead.origin.offset for dead in settled.dead] == [0, 17, 18, 99]
        assert {dead.category for dead in settled.dead} == {"constraint"}
        assert {dead.stage for dead in settled.dead} == {"write"}
        assert database.rows("SELECT count(*) FROM events") == [(96,)]
        stored = database.rows('SELECT raw FROM ingest_jobs WHERE "offset" = 17')
        assert [bytes(row[0]) for row in stored] == [b'{"id":17,"name":null}']

    def test_bad_rows_are_found_among_duplicates_too(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, seen integer CHECK (seen < 100))",
            "INSERT INTO events VALUES (0, 0), (50, 0)",
        )
        sink = database.sink(key=["id"])
        values = [{"id": i, "seen": 999 if i in (7, 80) else 1} for i in range(100)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 100, "inserted": 96, "duplicates": 2, "dead": 2}
        assert [dead.origin.offset for dead in settled.dead] == [7, 80]

    def test_bad_rows_are_found_in_updates(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, seen integer CHECK (seen < 100))",
            "INSERT INTO events VALUES (3, 0), (4, 0)",
        )
        sink = database.sink(key=["id"], on_conflict="update")
        values = [{"id": i, "seen": 999 if i in (3, 6) else 1} for i in range(8)]
        (settled,) = sink.commit([make_batch(values)])
        assert counts(settled) == {"read": 8, "inserted": 5, "updated": 1, "dead": 2}
        assert database.rows("SELECT seen FROM events WHERE id = 3") == [(0,)]

    def test_a_second_unique_column_makes_a_dead_letter_not_a_duplicate(
        self, database: Database
    ) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text UNIQUE)")
        sink = database.sink(key=["id"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}, {"id": 3, "name": "b"}])]
        )
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        assert settled.dead[0].origin.offset == 1

    def test_a_value_that_cannot_be_encoded_is_set_aside(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
        sink = database.sink(key=["id"])
        (settled,) = sink.commit([_with_surrogate()])
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
        assert settled.dead[0].category == "data"
        assert settled.dead[0].origin.offset == 1

    def test_read_is_the_sum_of_all_outcomes(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, name text NOT NULL)",
            "INSERT INTO events VALUES (5, 'there')",
        )
        sink = database.sink(key=["id"], on_conflict="update")
        values: list[dict[str, Any]] = [
            {"id": 1, "name": "a"},
            {"id": 1, "name": "b"},
            {"id": 5, "name": "c"},
            {"id": 6, "name": None},
            {"id": 7, "name": "d", "extra": 1},
            {"name": "e"},
        ]
        batch = make_batch(values, failures=[failure(6), failure(7, transient=True)], filtered=2)
        (settled,) = sink.commit([batch])
        assert counts(settled) == {
            "read": 10,
            "inserted": 1,
            "updated": 2,
            "filtered": 2,
            "dead": 4,
            "retry": 1,
        }


def _with_surrogate() -> Any:
    batch = make_batch([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}])
    values = [dict(value) for value in batch.values or ()]
    values[1]["name"] = "\ud800"
    return batch.keep([0, 1, 2], values)


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

    def test_a_missing_key_column_is_named(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match=r"no key column ident; it has id, name, seen"):
            database.sink(key=["ident"])

    def test_a_key_without_a_unique_constraint_is_refused(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match=r"unique constraint on exactly the key \(name\)"):
            database.sink(key=["name"])

    def test_a_unique_constraint_over_more_than_the_key_is_no_key(self, database: Database) -> None:
        database.run("CREATE TABLE events (a integer, b integer, UNIQUE (a, b))")
        with pytest.raises(ConfigError, match="unique constraint"):
            database.sink(key=["a"])

    def test_a_unique_index_will_do(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (a integer, b integer)", "CREATE UNIQUE INDEX e ON events (b, a)"
        )
        sink = database.sink(key=["a", "b"])
        (settled,) = sink.commit([make_batch([{"a": 1, "b": 1}, {"a": 1, "b": 1}])])
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}

    def test_a_partial_unique_index_will_not(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (a integer)", "CREATE UNIQUE INDEX e ON events (a) WHERE a > 0"
        )
        with pytest.raises(ConfigError, match="unique constraint"):
            database.sink(key=["a"])

    def test_a_missing_newest_column_is_named(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match="no column at for on_conflict newest:at"):
            database.sink(key=["id"], on_conflict="newest:at")

    def test_a_table_without_key_needs_the_origin_columns(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match="give --key"):
            database.sink()

    def test_unknown_fields_payload_needs_its_column(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match="no column payload"):
            database.sink(key=["id"], unknown_fields="payload")


class TestUnreachable:
    def test_a_refused_connection_is_an_outage_without_password(self) -> None:
        database = Database("postgres", "postgresql://someone:hunter2@127.0.0.1:1/shop")
        with pytest.raises(SinkUnavailable) as caught:
            database.sink(key=["id"])
        text = str(caught.value)
        assert "127.0.0.1:1" in text
        assert "shop" in text
        assert "hunter2" not in text
        assert "\n" not in text

    def test_an_unknown_database_is_named(self) -> None:
        with pytest.raises(ConfigError, match="unknown database 'nosuch'"):
            Database("x", "nosuch://host/db").sink(key=["id"])

    def test_a_missing_driver_is_named(self) -> None:
        with pytest.raises(ConfigError, match="driver for mysql"):
            Database("x", "mysql+mysqldb://host/db").sink(key=["id"])
