"""How many jobs of each kind there are, and how old the oldest is."""

from __future__ import annotations

from sinks.jobs.filter import JobFilter
from sinks.jobs.stats import groups
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, prepared, store
from tests.io.sinks.tested_database import Database


def test_jobs_are_grouped_by_what_they_have_in_common(database: Database) -> None:
    config = prepared(database)
    store(config, {}, {"category": "data"}, {}, {"state": "retryable"})
    kinds = [
        (group.state, group.category, group.count) for group in groups(config.database, JobFilter())
    ]
    assert kinds == [
        ("discarded", "constraint", 2),
        ("discarded", "data", 1),
        ("retryable", "constraint", 1),
    ]


def test_a_filter_narrows(database: Database) -> None:
    config = prepared(database)
    store(config, {}, {"category": "data"})
    (group,) = groups(config.database, JobFilter(category="data"))
    assert (group.category, group.count) == ("data", 1)


def test_the_oldest_is_the_first_that_failed(database: Database) -> None:
    config = prepared(database)
    store(config, {}, {})
    (group,) = groups(config.database, JobFilter())
    assert group.oldest == FAILED_AT


def test_without_the_table_there_are_none(database: Database) -> None:
    assert groups(database.config().database, JobFilter()) == []
