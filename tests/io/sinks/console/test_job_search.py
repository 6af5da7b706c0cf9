"""Filters become sets of groups where they can, and questions to candidates where they cannot."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.console import job_search
from sinks.console.job_search import Direction, Search, following, groups_of
from sinks.database.engine import transaction
from sinks.database.tables import dead
from sinks.jobs.filter import JobFilter
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.jobs.stored_jobs import prepared
from tests.io.sinks.tested_database import Database

PARSE = {"stage": "parse", "category": "malformed", "exception": "DecodeError", "sqlstate": None}


class TestGroupsOf:
    def test_columns_of_a_group_name_fingerprints(self, database: Database) -> None:
        config = prepared(database)
        first, second, _ = store_dead(config, PARSE, PARSE | {"message": "else"}, {})
        with transaction(config.database, "test", write=False) as connection:
            of_job = dict(connection.execute(sa.select(dead.c.job, dead.c.fingerprint)).all())
            assert set(groups_of(connection, JobFilter(stage="parse")) or ()) == {
                of_job[first],
                of_job[second],
            }
            assert groups_of(connection, JobFilter(stage="none")) == []
            assert groups_of(connection, JobFilter(text="x")) is None
            one = JobFilter(fingerprint=of_job[first])
            assert groups_of(connection, one) == [of_job[first]]
            other = JobFilter(fingerprint=of_job[first], stage="write")
            assert groups_of(connection, other) == []

    def test_too_many_groups_are_not_merged(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(job_search, "FINGERPRINTS", 2)
        config = prepared(database)
        store_dead(config, *({"message": name} for name in "abc"))
        with transaction(config.database, "test", write=False) as connection:
            assert groups_of(connection, JobFilter(stage="write")) is None
            search = Search.of(connection, JobFilter(stage="write"))
            assert search.looks
            assert [list(part) for part in search.numbers(Direction(), 2)] == [[3, 2, 1]]


class TestFollowing:
    @pytest.mark.parametrize(
        ("size", "took", "expected"),
        [
            (50, 0.0, 400),
            (50, 0.01, 100),
            (400, 0.02, 400),
            (400, 0.2, 40),
            (50, 9.0, 10),
            (1_000, 0.0, 2_000),
        ],
    )
    def test_chunks_keep_to_the_time(self, size: int, took: float, expected: int) -> None:
        assert following(size, took) == expected


class TestSearch:
    @pytest.mark.parametrize("merged", [0, 100_000])
    def test_several_groups_come_in_one_order(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, merged: int
    ) -> None:
        monkeypatch.setattr(job_search, "_MERGED", merged)
        config = prepared(database)
        store_dead(config, *({"message": "abc"[i % 3]} for i in range(9)), {"stage": "x"})
        with transaction(config.database, "test", write=False) as connection:
            search = Search.of(connection, JobFilter(stage="write"))
            assert not search.looks
            assert [list(part) for part in search.numbers(Direction(), 4)] == [
                [9, 8, 7, 6],
                [5, 4, 3, 2],
                [1],
            ]
            newer = search.numbers(Direction(after=4), 3)
            assert [list(part) for part in newer] == [[5, 6, 7], [8, 9]]
