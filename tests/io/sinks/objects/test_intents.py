"""The table of intents: who has one, and who has lost it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.tables import claims
from sinks.objects import intents
from sinks.objects.cutting import Intent, ObjectId
from sinks.objects.intents import Superseded
from tests.io.sinks.tested_database import Database

A, B, C = (ObjectId("file:///lake", "events", name) for name in "abc")
PLACE = ("s", "0")


def intent(start: int = 0, end: int = 10) -> Intent:
    return Intent("p", *PLACE, start, end, "0" * 12, objects=(A, B))


@pytest.fixture
def connection(database: Database) -> Iterator[sa.Connection]:
    migrate.prepare(database.database)
    with transaction(database.database, "test") as connection:
        yield connection


def opened(connection: sa.Connection) -> list[Intent]:
    return intents.open_intents(connection, "p", [PLACE]).get(PLACE, [])


def orphans(connection: sa.Connection) -> list[str]:
    rows = connection.execute(sa.text("SELECT name, state FROM ingest_objects ORDER BY name"))
    names = [tuple(row) for row in rows]
    assert {state for _, state in names} <= {"orphan"}
    return [name for name, _ in names]


def test_an_intent_is_open_until_it_is_closed(connection: sa.Connection) -> None:
    intents.enter(connection, [intent(), intent(10, 20)])
    assert opened(connection) == [intent(), intent(10, 20)]
    assert intents.open_ranges(connection, "p") == {PLACE: [(0, 10), (10, 20)]}
    assert intents.open_intents(connection, "q", [PLACE]) == {}
    assert intents.open_intents(connection, "p", [("s", "1")]) == {}
    intents.close(connection, [intent()])
    assert opened(connection) == [intent(10, 20)]


def test_whoever_takes_over_raises_the_fence(connection: sa.Connection) -> None:
    intents.enter(connection, [intent()])
    taken = intents.take_over(connection, intent(), [A, B, C])
    assert taken == replace(intent(), fence=2, objects=(A, B, C))
    assert opened(connection) == [taken]
    assert not intents.is_current(connection, intent())
    assert intents.is_current(connection, taken)
    for lost in (
        lambda: intents.close(connection, [intent()]),
        lambda: intents.take_over(connection, intent(), [A, B]),
    ):
        with pytest.raises(Superseded):
            lost()


def test_what_is_retired_leaves_orphans_once(connection: sa.Connection) -> None:
    intents.enter(connection, [intent()])
    intents.retire(connection, [intent()])
    intents.retire(connection, [intent()])
    assert (opened(connection), orphans(connection)) == ([], ["a", "b"])
    with pytest.raises(Superseded):
        intents.close(connection, [intent()])


def test_what_is_settled_ends_the_intents_that_touch_it(connection: sa.Connection) -> None:
    intents.enter(connection, [intent(), intent(10, 20), replace(intent(), partition="1")])
    intents.retire_settled(connection, "p", {PLACE: [(5, 10)], ("s", "2"): [(0, 10)]})
    assert opened(connection) == [intent(10, 20)]
    assert intents.open_ranges(connection, "p") == {PLACE: [(10, 20)], ("s", "1"): [(0, 10)]}
    assert orphans(connection) == ["a", "b"]


def test_an_old_intent_is_one_that_nobody_has_taken_over_of_late(
    connection: sa.Connection,
) -> None:
    intents.enter(connection, [intent(), intent(10, 20)])
    long_ago = sa.text("UPDATE ingest_intents SET updated_at = '2026-01-01 00:00:00'")
    connection.execute(long_ago)
    assert intents.old_intents(connection, "p") == [intent(), intent(10, 20)]
    intents.take_over(connection, intent(), [A, B])
    assert intents.old_intents(connection, "p") == [intent(10, 20)]
    assert intents.old_intents(connection, "q") == []


def test_a_new_intent_at_the_same_place_is_not_the_old_one(connection: sa.Connection) -> None:
    intents.enter(connection, [intent()])
    intents.retire(connection, [intent()])
    intents.enter(connection, [replace(intent(), id="1" * 12)])
    assert not intents.is_current(connection, intent())


def test_two_intents_cannot_begin_at_one_offset(connection: sa.Connection) -> None:
    intents.enter(connection, [intent()])
    with pytest.raises(Superseded):
        intents.enter(connection, [intent(0, 20)])
    connection.rollback()


def test_intents_of_jobs_end_with_their_claim(connection: sa.Connection) -> None:
    held, gone = "0" * 31 + "1", "0" * 31 + "2"
    at = datetime(2026, 11, 26, tzinfo=UTC)
    claim = {"id": held, "pipeline": "p", "lease": "l", "jobs": "[]", "count": 0}
    connection.execute(sa.insert(claims).values(**claim, attempted_at=at))
    of_jobs = [Intent("p", "", claim, 0, 0, "0" * 12, objects=(A,)) for claim in (held, gone)]
    intents.enter(connection, of_jobs)
    intents.retire_jobs(connection, "p")
    assert list(intents.open_intents(connection, "p", [("", held), ("", gone)])) == [("", held)]
    assert orphans(connection) == ["a"]
