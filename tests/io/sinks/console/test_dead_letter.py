"""One dead letter: its history, its neighbours, and the entries of the audit trail about it."""

from __future__ import annotations

from datetime import timedelta

from sinks.console.dead_letter import attempts, dead_letter
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import get_job
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, act, prepared
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import PURGE, REPLAY


class TestDeadLetter:
    def test_it_is_the_job_with_its_group(self, database: Database) -> None:
        config = prepared(database)
        (number,) = store_dead(config, {})
        letter = dead_letter(config.database, number)
        assert letter is not None
        assert letter.job == get_job(config.database, number)
        assert letter.fingerprint is not None
        assert (letter.before, letter.after, letter.entries) == (None, None, ())
        assert dead_letter(config.database, number + 1) is None

    def test_neighbours_are_of_the_same_partition(self, database: Database) -> None:
        config = prepared(database)
        low, mid, high = store_dead(config, {"offset": 5}, {"offset": 70}, {"offset": 900})
        store_dead(config, {"offset": 69}, partition="other")
        letter = dead_letter(config.database, mid)
        assert letter is not None
        assert letter.before is not None
        assert letter.after is not None
        assert (letter.before.id, letter.before.place) == (low, "5")
        assert (letter.after.id, letter.after.state) == (high, "discarded")

    def test_an_offset_of_kafka_is_found_however_far_its_number_is(
        self, database: Database
    ) -> None:
        config = prepared(database)
        place = {"source": "kafka://t", "partition": "0"}
        numbers = store_dead(
            config,
            {"offset": 7, "id": 10},
            {"offset": 9, "id": 9_000},
            {"offset": 90, "id": 20_000},
            **place,
        )
        letter = dead_letter(config.database, numbers[0])
        assert letter is not None
        assert letter.before is None
        assert letter.after is not None
        assert letter.after.id == 9_000
        far = dead_letter(config.database, numbers[1])
        assert far is not None
        assert far.after is None  # neither near in number nor in place

    def test_entries_that_name_it_or_fit_it(self, database: Database) -> None:
        config = prepared(database)
        other, one = store_dead(config, {"stage": "parse"}, {})
        act(config, REPLAY, JobFilter(ids=(one,)))
        act(config, PURGE, JobFilter(stage="parse"))
        (purged,) = store_dead(config, {"stage": "parse"}, partition="q")
        database.run("UPDATE ingest_jobs SET stage = 'parse'")
        assert dead_letter(config.database, other) is None
        letter = dead_letter(config.database, one)
        assert letter is not None
        said = [(each.entry.action, each.certain) for each in letter.entries]
        assert said == [("purge", False), ("replay", True)]
        other_letter = dead_letter(config.database, purged)
        assert other_letter is not None
        assert [each.certain for each in other_letter.entries] == [False]


class TestAttempts:
    def test_the_time_between_two_attempts(self) -> None:
        later = FAILED_AT + timedelta(seconds=90)
        first, second = attempts(
            [
                {
                    "attempt": 1,
                    "replay": 0,
                    "at": FAILED_AT.isoformat(),
                    "error": "no",
                    "due": later.isoformat(),
                },
                {"attempt": 2, "replay": 0, "at": later.isoformat(), "error": "n", "version": "v"},
            ]
        )
        assert (first.number, first.waited, first.due, first.version) == (1, None, later, None)
        assert (second.number, second.waited, second.due, second.version) == (2, 90.0, None, "v")
