"""Dead letters: kept whole, found again, and never stored twice."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pymysql
import pytest

from sinks.jobs import stats as job_stats
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import check_room, count_jobs, get_job, list_jobs
from tests.io.sinks.jobs.stored_jobs import LEASE, TRIED_AT, prepared, store
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.job_states import JOB_STATES
from transforms.batch.record import Failure, Format, Origin
from transforms.errors import ConfigError

REFUSED = (
    *(sqlite3.IntegrityError, psycopg2.IntegrityError, pymysql.err.OperationalError),
    duckdb.ConstraintException,
)
TABLE = "CREATE TABLE events (id integer PRIMARY KEY)"


def failure(offset: int, **changes: Any) -> Failure:
    one = Failure(
        origin=Origin("file:///a", "p", offset),
        raw=b'\xff\x00"raw"',
        format=Format("csv", ("a", "b"), ";"),
        stage="parse",
        category="malformed",
        exception="DecodeError",
        message="not JSON",
        stack="Traceback",
        event_time=1.5,
        key=b"\x00key",
        headers=(("trace", b"\xff"), ("trace", None)),
    )
    return replace(one, **changes)


def stored(database: Database, *failures: Failure) -> Any:
    database.run(TABLE)
    sink = database.sink(key=["id"])
    sink.commit([make_batch([], failures=failures)])
    return sink.config


class TestListJobs:
    def test_a_failure_comes_back_as_it_went_in(self, database: Database) -> None:
        config = stored(database, failure(0))
        (job,) = list_jobs(config.database)
        assert job.failure == failure(0)
        assert (job.target, job.state, job.attempt) == ("events", "discarded", 1)
        assert job.discarded_at == job.inserted_at
        assert job.inserted_at.tzinfo is not None
        assert [error["error"] for error in job.errors] == ["not JSON"]
        assert get_job(config.database, job.id) == job

    def test_a_transient_failure_is_retryable(self, database: Database) -> None:
        config = stored(database, failure(0, transient=True))
        (job,) = list_jobs(config.database)
        assert (job.state, job.discarded_at, job.failure.transient) == ("retryable", None, True)

    def test_an_origin_is_stored_once(self, database: Database) -> None:
        config = stored(database, failure(0), failure(0, message="again"))
        (job,) = list_jobs(config.database)
        assert job.failure.message == "again"

    @pytest.mark.parametrize(
        ("which", "offsets"),
        [
            (JobFilter(), [2, 1, 0]),
            (JobFilter(stage="write"), [1]),
            (JobFilter(category="malformed"), [2, 0]),
            (JobFilter(exception="Other"), [2]),
            (JobFilter(state="retryable"), [2]),
            (JobFilter(source="file:///b"), []),
            (JobFilter(target="others"), []),
            (JobFilter(text="needle"), [1]),
            (JobFilter(text="%"), [2]),
            (JobFilter(stage="write", category="malformed"), []),
        ],
    )
    def test_filters_narrow(self, database: Database, which: JobFilter, offsets: list[int]) -> None:
        config = stored(
            database,
            failure(0),
            failure(1, stage="write", category="data", raw=b"a needle\x00"),
            failure(2, exception="Other", transient=True, raw=b"100 %"),
        )
        assert [job.failure.origin.offset for job in list_jobs(config.database, which)] == offsets

    def test_the_list_is_bounded(self, database: Database) -> None:
        config = stored(database, *(failure(i) for i in range(30)))
        assert [job.failure.origin.offset for job in list_jobs(config.database, limit=2)] == [
            29,
            28,
        ]

    def test_a_job_at_an_attempt_shows_it_and_whose_it_is(self, database: Database) -> None:
        config = prepared(database)
        *_, number = store(config, {"state": "retryable"}, {"state": "executing", "attempt": 3})
        other, job = reversed(list_jobs(config.database))
        assert get_job(config.database, number) == job
        assert (job.state, job.attempt, job.attempted_by) == ("executing", 4, LEASE)
        assert job.attempted_at == TRIED_AT
        assert (other.state, other.attempt, other.attempted_by) == ("retryable", 3, None)
        assert list_jobs(config.database, JobFilter(state="executing")) == [job]
        assert count_jobs(config.database, by=["state"]) == {("executing",): 1, ("retryable",): 1}
        assert [each.state for each in job_stats.groups(config.database, JobFilter())] == [
            "executing",
            "retryable",
        ]

    def test_without_the_table_there_are_none(self, database: Database) -> None:
        config = database.config(key=["id"])
        assert list_jobs(config.database) == []
        assert get_job(config.database, 1) is None
        assert count_jobs(config.database) == {}


class TestCountJobs:
    def test_counts_are_by_state_stage_and_category(self, database: Database) -> None:
        config = stored(
            database, failure(0), failure(1), failure(2, category="data", transient=True)
        )
        assert count_jobs(config.database) == {
            ("discarded", "parse", "malformed"): 2,
            ("retryable", "parse", "data"): 1,
        }
        assert count_jobs(config.database, JobFilter(state="retryable"), by=["source"]) == {
            ("file:///a",): 1
        }


class TestStorage:
    def test_hostile_texts_are_stored(self, database: Database) -> None:
        config = stored(database, failure(0, message="a\x00b\ud800c", stack="\x00" * 9_000))
        (job,) = list_jobs(config.database)
        assert job.failure.message.startswith("a\ufffdb")
        assert job.failure.message.endswith("c")
        assert len(job.failure.stack) == 8_000

    def test_another_state_than_those_that_are_stored_is_refused(self, database: Database) -> None:
        stored(database, failure(0))
        for state in JOB_STATES:
            if state != "executing":
                database.run(f"UPDATE ingest_jobs SET state = '{state}'")
        for state in ("lost", "executing"):
            with pytest.raises(REFUSED):
                database.run(f"UPDATE ingest_jobs SET state = '{state}'")


class TestCheckRoom:
    def test_a_dead_letter_has_to_fit_into_a_statement(self, mariadb: Database) -> None:
        ((most,),) = mariadb.rows("SELECT @@max_allowed_packet")
        largest = (most - (256 << 10)) // 2
        check_room(mariadb.database, largest)
        with pytest.raises(ConfigError, match=f"--max_record_bytes to {largest} or less"):
            check_room(mariadb.database, largest + 1)

    def test_without_such_a_limit_nothing_is_looked_at(self, sqlite_database: Database) -> None:
        check_room(sqlite_database.database, 1 << 40)
        assert not Path(sqlite_database.url.removeprefix("sqlite:///")).exists()
