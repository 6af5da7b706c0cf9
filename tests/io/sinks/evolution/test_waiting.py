from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import jobs
from sinks.evolution.waiting import FIRST, LONGEST, put_off, until_next
from sinks.jobs.columns import ERRORS_KEPT
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.batch.expansion import Expansion
from transforms.batch.record import Attempt, Claim


def highest(low: float, high: float) -> float:
    return high


def test_waits_grow_with_the_age_and_never_pass_the_end() -> None:
    assert until_next(0.0, 60.0, highest) == FIRST
    assert until_next(30.0, 60.0, highest) == 30.0
    assert until_next(59.5, 60.0, highest) == 0.5
    assert until_next(60.0, 60.0, highest) is None
    assert until_next(2_000.0, 10_000.0, highest) == LONGEST


def test_a_job_keeps_the_errors_of_all_its_looks() -> None:
    for wait in (3_600.0, 86_400.0, 30 * 86_400.0):
        age, looks = 0.0, 0
        while (pause := until_next(age, wait, highest)) is not None:
            age, looks = age + pause, looks + 1
        assert looks < ERRORS_KEPT, "the first one says since when it waits"


def test_what_is_late_waits_and_what_has_waited_too_long_does_not(database: Database) -> None:
    sink = database.sink(key=["id"], evolve="freeze", schema_wait=60.0)
    late = replace(make_failure(7), category="schema_change")
    other = make_failure(8)
    with transaction(sink.config.database, "put records off") as connection:
        first, second = put_off(connection, [late, other], None, 60.0)
        assert first.snooze is not None
        assert FIRST / 2 <= first.snooze <= FIRST
        assert second is other
        assert put_off(connection, [late], None, 0.0) == [late]


def test_the_time_since_the_last_replay_counts(database: Database) -> None:
    database.run("CREATE TABLE events (id integer PRIMARY KEY)")
    sink = database.sink(key=["id"], evolve="freeze", schema_wait=3_600.0)
    sink.commit([make_batch([{"id": 1, "a": 1}]), make_batch([{"id": 2, "a": 1}], start=1)])
    now = datetime.now(UTC)

    def aged(seconds: float, replay: int) -> dict[str, Any]:
        at = now - timedelta(seconds=seconds)
        return {"attempt": 1, "replay": replay, "at": at.isoformat(), "error": "x", "due": None}

    with transaction(sink.config.database, "age jobs") as connection:
        numbers = list(connection.execute(sa.select(jobs.c.id).order_by(jobs.c.id)).scalars())
        for number in numbers:
            errors = [aged(5_000, 0), aged(100, 1)]
            values = {"errors": errors, "replays": 1 if number == numbers[0] else 0}
            connection.execute(sa.update(jobs).where(jobs.c.id == number).values(values))
        attempts: dict[tuple[int, int | None, Expansion], Attempt] = {
            (offset, None, ()): Attempt(number, 1, 10, "")
            for offset, number in enumerate(numbers, 7)
        }
        claim = Claim("c", attempts, "events", "")
        failures = [replace(make_failure(n), category="schema_change") for n in (7, 8)]
        replayed, old = put_off(connection, failures, claim, 3_600.0)
    assert replayed.snooze is not None
    assert 45 <= replayed.snooze <= 110
    assert old.snooze is None
