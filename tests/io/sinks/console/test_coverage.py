"""Coverage of partitions: pages, gaps and sums as the audit has them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from sinks.console import coverage
from sinks.console.coverage import (
    Faults,
    PartitionRow,
    Place,
    Summary,
    Which,
    faults,
    partitions,
    summaries,
)
from sinks.console.moment import moment
from sinks.ledger.accounts import accounts
from tests.io.sinks.console.ledgers import Row, add
from tests.io.sinks.tested_database import Database

HOSTILE = '<b>"\x1b\u202e'


def walked(database: Database, which: Which, limit: int) -> list[PartitionRow]:
    """All pages, one after the other."""
    rows: list[PartitionRow] = []
    after: Place | None = None
    while True:
        page = partitions(database.database, which, after=after, limit=limit)
        assert page is not None
        assert len(page.rows) <= limit
        rows += page.rows
        after = page.after
        if after is None:
            return rows


def places(rows: list[PartitionRow]) -> list[Place]:
    return [(row.pipeline, row.source, row.partition) for row in rows]


def ledger(seed: int) -> list[Row]:
    """Partitions with and without gaps, ends and beginnings at 0."""
    numbers = random.Random(seed)
    rows: list[Row] = []
    for number in range(40):
        place = (numbers.choice("pq"), numbers.choice(["s", HOSTILE]), f"{number:03}")
        start = numbers.choice([0, 0, 0, 4])
        for last in [False] * numbers.choice([0, 0, 1, 2]) + [True]:
            end = start + numbers.randrange(1, 9)
            rows.append((*place, start, end, last and numbers.random() < 0.7))
            start = end + numbers.randrange(1, 3)
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_pages_gaps_and_sums_are_those_of_the_audit(database: Database, seed: int) -> None:
    rows = ledger(seed)
    add(database, *rows[5:], violating=rows[:5])
    audited = list(accounts(database.database))
    listed = walked(database, Which(), 7)
    assert len(places(listed)) == len(set(places(listed)))
    assert {
        (row.pipeline, row.source, row.partition): (
            tuple(row.ranges),
            list(row.gaps),
            row.end,
            row.complete,
            row.conserved,
            row.records,
        )
        for row in listed
    } == {
        (one.pipeline, one.source, one.partition): (
            one.coverage.ranges,
            one.coverage.holes,
            one.coverage.end,
            one.coverage.complete,
            one.counts.conserved,
            one.counts.records,
        )
        for one in (account.progress for account in audited)
    }
    page = partitions(database.database, Which(), limit=1)
    assert page is not None
    assert replace(page.summary, updated_at=None) == Summary(
        len(audited),
        sum(account.progress.coverage.complete for account in audited),
        sum(bool(account.progress.coverage.holes) for account in audited),
        sum(not account.progress.counts.conserved for account in audited),
    )
    with moment(database.database, "test") as connection:
        of_sources = summaries(connection, (), "pipeline", "source")
        assert {place: one for place, one in faults(connection).items() if one != Faults()} == {
            place: Faults(one.gaps, one.violations)
            for place, one in of_sources.items()
            if one.gaps or one.violations
        }
    gaps = walked(database, Which(gaps=True), 3)
    assert places(gaps) == [
        place for place, row in zip(places(listed), listed, strict=True) if row.gaps
    ]
    assert gaps


def test_filters_choose_pipeline_source_and_table(database: Database) -> None:
    add(
        database,
        ("p", "s", "1", 0, 5, True),
        ("p", HOSTILE, "1", 0, 7, False),
        ("q", "s", "1", 0, 3, True),
    )
    for which, expected in (
        (Which(target="p"), [("p", HOSTILE, "1"), ("p", "s", "1")]),
        (Which(pipeline="q"), [("q", "s", "1")]),
        (Which(source=HOSTILE), [("p", HOSTILE, "1")]),
        (Which(source="nothing"), []),
    ):
        page = partitions(database.database, which)
        assert page is not None
        assert sorted(places(list(page.rows))) == sorted(expected)
        assert page.summary.partitions == len(expected)
    assert partitions(database.database, Which(target="nothing")) is None


def test_a_pipeline_that_writes_the_table_as_one_of_several_counts(database: Database) -> None:
    add(database, ("p", "s", "1", 0, 5, True))
    database.run("UPDATE ingest_counts SET target = 'other'")
    page = partitions(database.database, Which(target="other"))
    assert page is not None
    assert places(list(page.rows)) == [("p", "s", "1")]


def test_the_ranges_of_a_partition_are_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "MOST_RANGES", 3)
    rows: list[Row] = [("p", "s", "1", 10 * n, 10 * n + 5, False) for n in range(5)]
    add(database, *rows, ("p", "s", "2", 0, 1, True))
    page = partitions(database.database, Which())
    assert page is not None
    first, second = page.rows
    assert (list(first.ranges), first.cut) == ([(0, 5), (10, 15), (20, 25)], True)
    assert (list(second.ranges), second.cut) == ([(0, 1)], False)
