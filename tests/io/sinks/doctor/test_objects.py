"""Open ranges and unpublished objects are told once they are old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sinks.database.tables import intents
from sinks.database.tables import objects as objects_table
from sinks.doctor import objects
from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import NOW, insert, said, wrong
from tests.io.sinks.jobs.stored_jobs import prepared
from tests.io.sinks.tested_database import Database

OLD = datetime.now(UTC) - timedelta(hours=2)


def test_an_hour_is_no_matter() -> None:
    young, old = NOW - timedelta(minutes=59), NOW - timedelta(minutes=61)
    assert [objects.opened("p", 1, at, NOW) is None for at in (young, old)] == [True, False]
    assert [objects.unpublished("s", 1, at, NOW) is None for at in (young, old)] == [True, False]


def test_old_ones_of_a_database_are_told(database: Database) -> None:
    prepared(database)
    assert [item.level for item in said(database, objects.check)] == ["ok"]
    place = {"pipeline": "p", "source": "s", "partition": "v", "start_offset": 0, "end_offset": 2}
    of_intent = {"id": "i", "fence": 1, "objects": [], "created_at": OLD, "updated_at": OLD}
    insert(database, intents, {**place, **of_intent})
    more = {
        "sink": "s3://b",
        "target": "t",
        "name": "n",
        "rows": 1,
        "bytes": 1,
        "etag": "e",
        "state": "settled",
        "created_at": OLD,
        "changed_at": OLD,
    }
    insert(database, objects_table, {**place, **more, "pending": False})
    (item,) = wrong(database, objects.check)
    assert (item.where, item.figures["intents"]) == ("p", 1)
    assert wrong(database, objects.check, Question("q")) == []
    insert(database, objects_table, {**place, **more, "pending": True})
    _, item = wrong(database, objects.check)
    assert (item.where, item.figures["pending"]) == ("s3://b", 1)
