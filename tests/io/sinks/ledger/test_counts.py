"""The counts of each table add up to those of the ledger."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.ledger import counts
from sinks.ledger.accounts import accounts
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.counts import Counts

A, B = ("file:///a", "p"), ("file:///b", "p")
ALL = "SELECT pipeline, target, source, read, inserted, dead FROM ingest_counts ORDER BY 2, 3"


def test_deltas_are_added_or_entered(database: Database) -> None:
    config = database.sink(key=["id"]).config
    for deltas in ({A: Counts(read=2, dead=2)}, {A: Counts(inserted=1, dead=-1), B: Counts()}):
        with transaction(config.database, "test") as connection:
            counts.add(connection, "people", "events", deltas)
            counts.add(connection, "people", "others", {B: Counts(read=1)})
    assert database.rows(ALL) == [
        ("people", "events", A[0], 2, 1, 1),
        ("people", "others", B[0], 2, 0, 0),
    ]


def test_a_partition_that_begins_anew_replaces_what_is_left_of_it(database: Database) -> None:
    config = database.sink(key=["id"]).config
    with transaction(config.database, "test") as connection:
        counts.add(connection, "people", "events", {A: Counts(read=9, inserted=9)})
        counts.begin(connection, "people", {"events": {A: Counts(read=1, dead=1)}})
    assert database.rows(ALL) == [("people", "events", A[0], 1, 0, 1)]


FORGOTTEN = "SELECT source, read, inserted, dead, dead_letters FROM ingest_forgotten"


def test_what_a_deleted_ledger_had_counted_is_not_lost(database: Database) -> None:
    config = database.sink(key=["id"]).config
    for time in (1, 2):
        with transaction(config.database, "test") as connection:
            counts.add(connection, "people", "events", {A: Counts(read=9, inserted=7, dead=2)})
            counts.add(connection, "people", "events", {B: Counts(read=1)})
            counts.begin(connection, "people", {"events": {A: Counts(read=1, inserted=1)}})
        total = (9 * time + (time - 1), 7 * time + (time - 1))
        assert database.rows(FORGOTTEN) == [(A[0], *total, 2 * time, 2 * time)]


def test_every_dead_letter_is_counted_once_more_than_it_is_replayed(database: Database) -> None:
    config = database.sink(key=["id"]).config
    for delta in (Counts(read=3, dead=3), Counts(dead=-2, retrying=2), Counts(dead=1, retrying=-1)):
        with transaction(config.database, "test") as connection:
            counts.add(connection, "people", "events", {A: delta})
    assert database.rows("SELECT dead, dead_letters FROM ingest_counts") == [(2, 4)]


def test_every_commit_counts_for_its_table(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}, {"id": "1"}])])
    sink.commit([make_batch([{"id": "2"}], 2), make_batch([{"id": "3"}], source=B[0])])
    account, _ = accounts(sink.config.database)
    assert account.tables == {"events": Counts(read=3, inserted=2, duplicates=1)}
    assert account.added_up


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM ingest_counts", "UPDATE ingest_counts SET inserted = inserted + 1"],
)
def test_counts_that_do_not_add_up_are_seen(database: Database, statement: str) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}])])
    database.run(statement)
    (account,) = accounts(sink.config.database)
    assert not account.added_up


def test_a_ledger_deleted_by_hand_is_counted_from_nothing(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}, {"id": "2"}])])
    database.run("DELETE FROM ingest_progress")
    assert list(accounts(sink.config.database)) == []
    sink.commit([make_batch([{"id": "1"}, {"id": "2"}])])
    (account,) = accounts(sink.config.database)
    assert account.tables == {"events": Counts(read=2, duplicates=2)}
    assert account.added_up


def test_dead_letters_are_unresolved_until_they_are_replayed_or_deleted(database: Database) -> None:
    config = database.sink(key=["id"]).config
    with transaction(config.database, "test") as connection:
        more = {A: Counts(read=9, dead=9), (A[0], "q"): Counts(read=1, dead=1)}
        counts.add(connection, "people", "events", {**more, B: Counts(read=2, dead=2)})
        counts.add(connection, "people", "others", {B: Counts(read=5, dead=5)})
        counts.add(connection, "again", "events", {B: Counts(read=5, dead=5)})
        assert counts.unresolved(connection, "people") == {A[0]: 10, B[0]: 7}, "of all its tables"
        counts.add(connection, "people", "events", {A: Counts(dead=-4, retrying=4)})
        counts.purge(connection, "people", "events", {A: 5, B: 2})
        counts.purge(connection, "people", "others", {B: 5})
        assert counts.unresolved(connection, "people") == {A[0]: 1}


def test_purged_dead_letters_are_counted_apart(database: Database) -> None:
    config = database.sink(key=["id"]).config
    for number in (2, 3):
        with transaction(config.database, "test") as connection:
            counts.purge(connection, "people", "events", {A: number})
    assert database.rows("SELECT target, read, dead, purged FROM ingest_counts") == [
        ("events", 0, 0, 5)
    ]


def test_what_is_forgotten_is_summed_under_another_name(database: Database) -> None:
    config = database.sink(key=["id"]).config
    with transaction(config.database, "test") as connection:
        counts.add(
            connection, "people", "events", {A: Counts(read=2, inserted=2), B: Counts(read=1)}
        )
        counts.add(connection, "people", "others", {A: Counts(read=3, dead=3)})
        counts.forget(connection, "people", [A, B, ("file:///c", "p")], lambda source: "file:///*")
    assert database.rows(ALL) == []
    assert sorted(database.rows(FORGOTTEN)) == [
        ("file:///*", 3, 0, 3, 3),
        ("file:///*", 3, 2, 0, 0),
    ]
