"""Groups of dead letters: the newest first, page by page, counted, and found by the usual filters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from sinks.console import counting, job_search
from sinks.console import groups as groups_module
from sinks.console.counting import Count
from sinks.console.groups import Group, Page, groups
from sinks.database.engine import transaction
from sinks.database.tables import pipelines
from sinks.dead import upkeep
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.first.insert import insert_failures
from sinks.jobs.orders import Order
from sinks.ledger.hidden_fields import HiddenFields
from tests.io.sinks.jobs.queued_jobs import PIPELINE, Queue, retryable
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import REPLAY
from transforms.batch.record import Failure, Origin
from transforms.batch.retry_policy import Next
from transforms.errors import ConfigError


def stored(database: Database, *failures: Failure) -> None:
    with transaction(database.database, "store") as connection:
        first = [(failure, Next("discarded", 1), 10) for failure in failures]
        groups = insert_failures(connection, "people", "events", first, "run-1", PIPELINE)
        upkeep.note(connection, groups)


@pytest.fixture
def filled(database: Database) -> Database:
    """Three groups of 4, 2 and 1 dead letters, and a job that waits."""
    Queue(database, retryable(99))
    kinds = ("order {} is gone", "no name", "order {} is gone", "no name", "order {} is gone")
    stored(
        database,
        *(retryable(n, message=kind.format(n)) for n, kind in enumerate(kinds)),
        retryable(5, message="too large", stage="write", category="data", sqlstate="22003"),
        retryable(6, message="order 6 is gone", origin=Origin("file:///b", "p", 6)),
    )
    return database


def named(page: Page) -> list[tuple[str, int]]:
    return [(group.message, group.count.number) for group in page.groups]


def test_the_group_with_the_newest_comes_first(filled: Database) -> None:
    page = groups(filled.database)
    assert named(page) == [("order N is gone", 4), ("too large", 1), ("no name", 2)]
    assert (page.after, page.searched) == (None, None)
    newest = page.groups[0]
    assert (newest.target, newest.stage, newest.category) == ("events", "enrich", "retry_later")
    assert (newest.sqlstate, newest.exception) == (None, "RetryLater")
    assert newest.count == Count(4, exact=True)
    assert newest.sample == max(group.sample for group in page.groups)
    assert newest.last_seen is not None
    assert newest.first_seen <= newest.last_seen
    assert page.groups[1].sqlstate == "22003"


def test_pages_follow_each_other(filled: Database) -> None:
    seen: list[Group] = []
    after = None
    for _ in range(3):
        page = groups(filled.database, limit=1, after=after)
        seen += page.groups
        after = page.after
    assert after is None
    assert tuple(seen) == groups(filled.database).groups


@pytest.mark.parametrize(
    ("which", "messages"),
    [
        (JobFilter(sqlstate="22003"), ["too large"]),
        (JobFilter(category="retry_later"), ["order N is gone", "no name"]),
        (JobFilter(stage="write"), ["too large"]),
        (JobFilter(target="others"), []),
        (JobFilter(exception="RetryLater", category="data"), ["too large"]),
        (JobFilter(source="file:///b"), ["order N is gone"]),
        (JobFilter(source="file:///a", category="data"), ["too large"]),
        (JobFilter(pipeline="nobody"), []),
        (JobFilter(state="discarded", stage="write"), ["too large"]),
        (JobFilter(text='{"id":1}'), ["no name"]),
    ],
)
def test_filters_are_those_of_the_list(
    filled: Database, which: JobFilter, messages: list[str]
) -> None:
    assert [message for message, _ in named(groups(filled.database, which))] == messages


def test_what_asks_about_records_looks_at_the_newest_only(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = JobFilter(source="file:///*")
    assert groups(filled.database, which).searched is None
    monkeypatch.setattr(groups_module, "SEARCHED", 3)
    page = groups(filled.database, which)
    assert page.searched == 3
    assert named(page) == [("order N is gone", 2), ("too large", 1)]
    assert not page.groups[0].count.exact
    after = groups(filled.database, which, limit=1).after
    assert named(groups(filled.database, which, after=after)) == [("too large", 1)]


def test_a_slow_search_stops_and_says_how_far_it_has_come(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = JobFilter(source="file:///*")
    assert groups(filled.database, which, seconds=-1).searched is None
    monkeypatch.setattr(job_search, "CHUNKS", (2, 2, 2))
    page = groups(filled.database, which, seconds=-1)
    assert (page.searched, named(page)) == (2, [("order N is gone", 1), ("too large", 1)])
    whole = groups(filled.database, which)
    assert whole == groups(filled.database)


def test_a_group_is_a_filter_of_its_own(filled: Database) -> None:
    wanted = groups(filled.database).groups[2]
    which = JobFilter(fingerprint=wanted.fingerprint)
    assert groups(filled.database, which).groups == (wanted,)
    assert groups(filled.database, replace(which, stage="parse")).groups == ()


def test_a_group_without_dead_letters_is_gone(filled: Database) -> None:
    order = Order.of(REPLAY, JobFilter(category="data"))
    carry_out(filled.database, order, actor="ann", reason="repaired")
    assert named(groups(filled.database)) == [("order N is gone", 4), ("no name", 2)]


def test_many_are_estimated(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups_module, "MOST", 3)
    monkeypatch.setattr(counting, "MOST", 3)
    first, second, _ = groups(filled.database).groups
    assert first.count.number >= 3
    assert (first.count.exact, second.count) == (False, Count(1, exact=True))


def test_where_fields_are_hidden_the_message_is_too(filled: Database) -> None:
    text = HiddenFields((("id",),), ("v",)).as_text()
    with transaction(filled.database, "hide") as connection:
        connection.execute(sa.update(pipelines).values(hidden=text))
    assert {"not shown" in group.message for group in groups(filled.database).groups} == {True}


def test_other_states_have_no_groups(filled: Database) -> None:
    with pytest.raises(
        ConfigError, match="only jobs that are discarded have groups, not cancelled"
    ):
        groups(filled.database, JobFilter(state="cancelled"))


def test_a_database_without_tables_has_none(sqlite_database: Database) -> None:
    assert groups(sqlite_database.database) == Page(())
