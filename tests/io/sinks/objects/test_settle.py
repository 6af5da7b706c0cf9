"""What is settled is entered, with what a reader of the manifest needs."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.objects import intents
from sinks.objects.config import ObjectConfig
from sinks.objects.cutting import Intent, ObjectId
from sinks.objects.encoding.columns import Columns
from sinks.objects.intents import Superseded
from sinks.objects.planned import Dataset, Planned, Written, WrittenObject
from sinks.objects.settle import settle
from tests.io.sinks.tested_database import Database

CONFIG = ObjectConfig.of("s3://lake", "orders")


def written(intent: Intent, rows: int) -> Written:
    name = ObjectId("s3://lake", "orders", "orders/x")
    planned = Planned(Dataset(CONFIG, Columns.of(None), "orders"), name, intent, ())
    result = WrittenObject(planned, rows, 100, "etag") if rows else WrittenObject(planned, 0)
    return Written((intent,), (result,))


def run(database: Database, fence: int, rows: int) -> list[tuple[object, ...]]:
    migrate.prepare(database.database)
    intent = Intent("p", "s", "0", 5, 9, "0" * 12, fence)
    with transaction(database.database, "test") as connection:
        intents.enter(connection, [intent])
    with transaction(database.database, "test") as connection:
        settle(connection, written(intent, rows))
    assert database.rows("SELECT count(*) FROM ingest_intents") == [(0,)]
    return database.rows(
        "SELECT sink, target, name, start_offset, end_offset, rows, bytes, etag, state "
        "FROM ingest_objects"
    )


def test_an_object_becomes_a_part_of_its_dataset(database: Database) -> None:
    row = ("s3://lake", "orders", "orders/x", 5, 9, 3, 100, "etag", "settled")
    assert run(database, 1, 3) == [row]


def test_an_object_without_records_was_not_written(sqlite_database: Database) -> None:
    assert run(sqlite_database, 1, 0) == []


def test_an_earlier_attempt_may_have_written_it(sqlite_database: Database) -> None:
    ((*_, state),) = run(sqlite_database, 2, 0)
    assert state == "orphan"


def test_nothing_is_settled_under_an_intent_that_is_lost(database: Database) -> None:
    migrate.prepare(database.database)
    intent = Intent("p", "s", "0", 5, 9, "0" * 12)
    with transaction(database.database, "test") as connection:
        intents.enter(connection, [intent])
        intents.take_over(connection, intent, [])
    with (
        pytest.raises(Superseded),
        transaction(database.database, "test") as connection,
    ):
        settle(connection, written(intent, 3))
    assert database.rows("SELECT count(*) FROM ingest_objects") == [(0,)]
