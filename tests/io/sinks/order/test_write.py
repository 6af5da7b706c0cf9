"""The newest of each key wins, in every database; deletes are effects of their own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sinks.jobs.store import list_jobs
from sinks.sql import SqlSink
from tests.io.sinks.order.changes import (
    TABLE,
    batch_of,
    committed,
    event,
    put_off,
    retried,
    sink_of,
    tombstone,
)
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.record import Change
from transforms.errors import ConfigError, SinkFailed

ROWS = "SELECT id, n FROM events ORDER BY id"


@pytest.fixture
def events(database: Database) -> Database:
    database.run(TABLE)
    return database


def dead(database: Database) -> list[tuple[str, int]]:
    """Category and offset of each dead letter."""
    jobs = database.rows(
        "SELECT category, \"offset\" FROM ingest_jobs WHERE state = 'discarded' ORDER BY 2"
    )
    return [(category, offset) for category, offset in jobs]


class TestPositions:
    def test_each_record_has_the_effect_that_its_position_gives_it(self, events: Database) -> None:
        sink = sink_of(events)
        (settled,) = sink.commit(
            [
                batch_of(
                    event("c", 1, 10),
                    event("u", 1, 12),
                    event("u", 1, 11),
                    event("c", 2, 13),
                    event("d", 2, 14),
                    tombstone(2),
                    event("d", 3, 15),
                    event("c", 3, 9),
                )
            ]
        )
        assert counts(settled) == {
            "read": 8,
            "inserted": 2,
            "updated": 1,
            "deleted": 2,
            "duplicates": 3,
        }
        assert settled.counts.conserved
        assert events.rows(ROWS) == [(1, 12)]

    def test_nothing_that_comes_late_resurrects_a_row(self, events: Database) -> None:
        sink = sink_of(events)
        sink.commit([batch_of(event("c", 1, 1), event("d", 1, 5), tombstone(1))])
        late = batch_of(event("u", 1, 4), tombstone(1), event("d", 1, 3), start=0, partition="1")
        (settled,) = sink.commit([late])
        assert counts(settled) == {"read": 3, "duplicates": 3}
        (settled,) = sink.commit([batch_of(event("c", 1, 6), start=3, partition="1")])
        assert counts(settled) == {"read": 1, "inserted": 1}
        assert events.rows(ROWS) == [(1, 6)]

    def test_a_later_delete_of_a_row_that_is_gone_moves_its_key_on(self, events: Database) -> None:
        sink = sink_of(events)
        sink.commit([batch_of(event("d", 1, 5))])
        (settled,) = sink.commit([batch_of(event("d", 1, 9), start=1)])
        assert counts(settled) == {"read": 1, "duplicates": 1}
        (settled,) = sink.commit([batch_of(event("c", 1, 7), start=2)])
        assert counts(settled) == {"read": 1, "duplicates": 1}
        assert events.rows(ROWS) == []

    def test_offsets_decide_within_a_partition_and_nobody_across(self, events: Database) -> None:
        sink = sink_of(events, on_delete="")
        (settled,) = sink.commit([make_batch([{"id": 1, "n": 1}, {"id": 1, "n": 2}])])
        assert counts(settled) == {"read": 2, "inserted": 1, "updated": 1}
        (settled,) = sink.commit([make_batch([{"id": 1, "n": 3}], partition="other")])
        assert counts(settled) == {"read": 1, "dead": 1}
        assert dead(events) == [("order", 0)]
        assert events.rows(ROWS) == [(1, 2)]

    def test_who_would_have_won_and_is_refused_has_no_effect(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, n bigint CHECK (n <> 30))")
        sink = sink_of(database)
        batch = batch_of(
            event("c", 1, 10),
            event("u", 1, 30),
            event("u", 1, 20),
            event("d", 2, 5),
            event("c", 2, 4),
        )
        (settled,) = sink.commit([batch])
        assert counts(settled) == {
            "read": 5,
            "inserted": 1,
            "updated": 1,
            "deleted": 1,
            "duplicates": 1,
            "dead": 1,
        }
        assert database.rows(ROWS) == [(1, 20)]

    def test_other_fields_of_an_update_stay(self, events: Database) -> None:
        events.run("ALTER TABLE events ADD COLUMN note text")
        sink = sink_of(events)
        sink.commit([batch_of(event("c", 1, 1, note="a"), event("u", 1, 2))])
        assert events.rows("SELECT n, note FROM events") == [(2, "a")]

    def test_a_key_of_several_columns(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer, n bigint, r text, PRIMARY KEY (r, id))")
        sink = sink_of(database, key=["id", "r"])
        rows = [{"id": i, "r": r, "n": 0} for i in (1, 2) for r in "ab"]
        gone: list[dict[str, Any]] = [{"id": 1, "r": "b"}, {"id": "2", "r": "a"}]
        changes = [Change(False, 1)] * 4 + [Change(True, 2)] * 2
        (settled,) = sink.commit([replace(make_batch([*rows, *gone]), changes=changes)])
        assert counts(settled) == {"read": 6, "inserted": 4, "deleted": 2}
        assert database.rows("SELECT id, r FROM events ORDER BY 1") == [(1, "a"), (2, "b")]

    def test_a_record_whose_key_has_no_form_is_refused_alone(self, events: Database) -> None:
        sink = sink_of(events)
        batch = make_batch([{"id": "x"}, {"n": 1}, {"id": 1}])
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"read": 3, "inserted": 1, "dead": 2}
        assert dead(events) == [("key", 0), ("key", 1)]


class TestFields:
    def sink(self, database: Database) -> SqlSink:
        return sink_of(database, on_conflict="newest:n")

    def records(self, *rows: dict[str, Any], deletes: tuple[int, ...] = (), start: int = 0) -> Any:
        changes = [Change(index in deletes) for index in range(len(rows))]
        return replace(make_batch(rows, start), changes=changes)

    def test_the_field_decides_also_against_rows_of_before(self, events: Database) -> None:
        events.run("INSERT INTO events VALUES (1, 50, NULL), (2, 50, NULL), (3, NULL, NULL)")
        rows = [{"id": 1, "n": 40}, {"id": 2, "n": 50}, {"id": 3, "n": 1}, {"id": 1, "n": 60}]
        (settled,) = self.sink(events).commit([self.records(*rows)])
        assert counts(settled) == {"read": 4, "updated": 2, "duplicates": 2}
        assert events.rows(ROWS) == [(1, 60), (2, 50), (3, 1)]

    def test_a_delete_ends_the_version_that_it_names(self, events: Database) -> None:
        events.run("INSERT INTO events VALUES (1, 50, NULL), (2, 50, NULL)")
        sink = self.sink(events)
        rows = [{"id": 1, "n": 50}, {"id": 2, "n": 49}]
        (settled,) = sink.commit([self.records(*rows, deletes=(0, 1))])
        assert counts(settled) == {"read": 2, "deleted": 1, "duplicates": 1}
        again = [{"id": 1, "n": 45}, {"id": 1, "n": 51}]
        (settled,) = sink.commit([self.records(*again, start=2)])
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}
        assert events.rows(ROWS) == [(1, 51), (2, 50)]

    def test_a_tombstone_has_no_such_field(self, events: Database) -> None:
        (settled,) = self.sink(events).commit([batch_of(tombstone(1))])
        assert counts(settled) == {"read": 1, "dead": 1}
        assert dead(events) == [("order", 0)]

    def test_instants_decide_whatever_their_zone(self, database: Database) -> None:
        kind = "timestamptz" if database.kind in ("postgres", "mariadb", "duckdb") else "text"
        database.run(f"CREATE TABLE events (id integer PRIMARY KEY, n {kind})")
        times = ["2024-01-01T10:00:00Z", "2024-01-01T10:30:00+01:00", "2024-01-01T10:00:00.000001Z"]
        batch = self.records(*({"id": 1, "n": each} for each in times))
        (settled,) = self.sink(database).commit([batch])
        assert counts(settled) == {"read": 3, "inserted": 1, "updated": 1, "duplicates": 1}


class TestMarks:
    def test_a_row_that_is_gone_stays_and_says_so(self, events: Database) -> None:
        sink = sink_of(events, on_delete="mark:gone")
        sink.commit([batch_of(event("c", 1, 1), event("c", 2, 2), event("d", 1, 3))])
        assert [(i, bool(gone)) for i, gone in events.rows("SELECT id, gone FROM events")] in (
            [(1, True), (2, False)],
            [(2, False), (1, True)],
        )
        sink.commit([batch_of(event("u", 1, 2), event("c", 2, 9), start=3)])
        sink.commit([batch_of(event("c", 1, 4), start=5)])
        rows = events.rows("SELECT id, n, gone FROM events ORDER BY id")
        assert [(i, n, bool(gone)) for i, n, gone in rows] == [(1, 4, False), (2, 9, False)]

    def test_a_timestamp_says_when(self, database: Database) -> None:
        kind = "timestamptz" if database.kind in ("postgres", "mariadb", "duckdb") else "text"
        database.run(f"CREATE TABLE events (id integer PRIMARY KEY, n bigint, at {kind})")
        sink = sink_of(database, on_delete="mark:at")
        sink.commit([batch_of(event("c", 1, 1), event("d", 1, 2), event("c", 2, 3))])
        assert database.rows("SELECT id FROM events WHERE at IS NOT NULL") == [(1,)]
        sink.commit([batch_of(event("c", 1, 4), start=3)])
        assert database.rows("SELECT id FROM events WHERE at IS NOT NULL") == []


class TestRefusedDeletes:
    def test_a_row_that_others_refer_to_is_deleted_once_they_are_gone(
        self, database: Database
    ) -> None:
        database.run(
            "CREATE TABLE events (id integer PRIMARY KEY, n bigint)",
            "CREATE TABLE parts (id integer PRIMARY KEY, of integer REFERENCES events (id))",
            "INSERT INTO events VALUES (1, 1), (2, 1)",
            "INSERT INTO parts VALUES (7, 1)",
        )
        sink = sink_of(database)
        (settled,) = sink.commit([batch_of(event("d", 1, 5), event("d", 2, 6))])
        assert counts(settled) == {"read": 2, "deleted": 1, "retry": 1}
        database.run("DELETE FROM parts")
        assert retried(sink) == 1
        assert database.rows("SELECT count(*) FROM events") == [(0,)]
        names = "read, deleted, retrying"
        assert database.rows(f"SELECT {names} FROM ingest_progress") == [(2, 2, 0)]


class TestOutbox:
    def test_a_delete_is_published_without_a_value(self, events: Database) -> None:
        sink = replace(sink_of(events), outbox=True)
        sink.commit([batch_of(event("c", 1, 1), event("c", 2, 2))])
        sink.commit([batch_of(event("d", 1, 3), event("d", 2, 4), event("c", 2, 5), start=2)])
        rows = events.rows(
            "SELECT key, operation, deleted, payload FROM ingest_outbox WHERE id > 2 ORDER BY id"
        )
        assert [(json.loads(key)["id"], bool(gone), bytes(raw)) for key, _, gone, raw in rows] == [
            (1, True, b""),
            (2, False, b'{"id":2,"n":5}'),
        ]
        assert rows[1][1] == "update", "for whoever knew the row, it has changed"

    def test_without_an_outbox_nothing_is_kept(self, events: Database) -> None:
        sink_of(events).commit([batch_of(event("c", 1, 1), event("d", 1, 2))])
        assert events.rows("SELECT count(*) FROM ingest_outbox") == [(0,)]


class TestTheStart:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"on_conflict": "update"}, "deletes need an order"),
            ({"key": []}, "give --key FIELD"),
            ({"on_delete": "mark:"}, "on_delete must be delete or mark:COLUMN"),
            ({"on_delete": "mark:nowhere"}, "no column nowhere"),
            ({"on_delete": "mark:n"}, "needs a boolean or a timestamp"),
            ({"on_conflict": "newest:gone"}, "compares whole numbers or instants"),
            ({"key": ["gone"]}, "key column gone is boolean|key column gone is bool"),
        ],
    )
    def test_what_cannot_be_ordered_is_refused(
        self, events: Database, options: dict[str, Any], message: str
    ) -> None:
        events.run("CREATE UNIQUE INDEX of_gone ON events (gone)")
        with pytest.raises(ConfigError, match=message):
            sink_of(events, **options)

    def test_deletes_that_nothing_was_said_about_end_the_run(self, events: Database) -> None:
        sink = events.sink(key=["id"])
        with pytest.raises(SinkFailed, match="on_delete"):
            sink.commit([batch_of(event("d", 1, 1))])


def test_a_failed_record_keeps_its_place_in_the_order(events: Database) -> None:
    sink = sink_of(events)
    committed(sink, put_off(batch_of(event("c", 1, 1), event("u", 1, 2), event("d", 1, 3)), [1]))
    assert retried(sink) == 1
    assert events.rows(ROWS) == []
    assert list_jobs(events.database) == [] or events.rows(
        "SELECT deleted, inserted, duplicates, retrying FROM ingest_progress"
    ) == [(1, 1, 1, 0)]


def test_a_delete_that_is_tried_again_behind_its_tombstone_lets_newer_rows_in(
    events: Database,
) -> None:
    sink = sink_of(events)
    committed(sink, put_off(batch_of(event("c", 1, 3), event("d", 1, 18), tombstone(1)), [0, 1]))
    committed(sink, batch_of(event("c", 1, 19), partition="1"))
    assert events.rows(ROWS) == [], "the delete may be the newer one, as far as anybody can tell"
    for _ in range(4):
        retried(sink)
    assert events.rows(ROWS) == [(1, 19)]
    assert dead(events) == []
