"""What a commit enters into the ledger, and when another writer was faster."""

from __future__ import annotations

import pytest

from sinks import entries
from sinks.database.engine import transaction
from sinks.ledger import ledger
from sinks.ledger.ranges import without
from sinks.work import Work, coverage_of_batches, plan
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.counts import Counts
from transforms.settle.sink import Settled

PIPELINE = "t"


def settled(work: Work) -> Settled:
    return Settled(work.batch.span, Counts(read=work.batch.read, inserted=work.batch.read))


def enter(database: Database, work: list[Work]) -> None:
    with transaction(database.database, "enter") as connection:
        entries.record(connection, PIPELINE, "t", work, [settled(part) for part in work], "run")


def test_the_ledger_has_what_was_settled(database: Database) -> None:
    database.sink(key=["id"])
    enter(database, plan([make_batch([{"id": 1}, {"id": 2}])], {}, ()))
    query = "SELECT start_offset, end_offset, read, inserted FROM ingest_progress"
    assert database.rows(query) == [(0, 2, 2, 2)]


def test_what_another_writer_has_settled_meanwhile_is_not_entered_again(
    database: Database,
) -> None:
    database.sink(key=["id"])
    work = plan([make_batch([{"id": 1}, {"id": 2}])], {}, ())
    enter(database, work)
    with pytest.raises(entries.Overlap):
        enter(database, work)


def forget(database: Database, start: int, end: int | None = None) -> None:
    with transaction(database.database, "forget") as connection:
        place = ("file:///a", "p")
        (rows,) = ledger.settlements(connection, PIPELINE, [place]).values()
        ledger.replace_rows(connection, PIPELINE, place, rows, without(rows, start, end))


def planned(database: Database, *spans: tuple[int, int], final: bool = False) -> list[Work]:
    batches = [
        make_batch([{"id": at} for at in range(start, end)], start, final=final)
        for start, end in spans
    ]
    with transaction(database.database, "look", write=False) as connection:
        return plan(batches, coverage_of_batches(connection, PIPELINE, batches), ())


@pytest.mark.parametrize(("start", "end"), [(5, None), (0, None), (8, 9)])
def test_what_was_trimmed_and_is_forgotten_meanwhile_is_not_entered_without_its_records(
    database: Database, start: int, end: int | None
) -> None:
    database.sink(key=["id"])
    enter(database, planned(database, (0, 10)))
    work = planned(database, (8, 20))
    forget(database, start, end)
    with pytest.raises(entries.Overlap):
        enter(database, work)
    enter(database, planned(database, (8, 20)))


def test_an_end_is_not_entered_where_what_is_before_it_was_forgotten_meanwhile(
    database: Database,
) -> None:
    database.sink(key=["id"])
    enter(database, planned(database, (0, 10)))
    work = planned(database, (0, 10), final=True)
    forget(database, 0)
    with pytest.raises(entries.Overlap):
        enter(database, work)


def test_what_a_batch_before_it_settles_is_trimmed_in_the_same_commit(database: Database) -> None:
    database.sink(key=["id"])
    enter(database, planned(database, (0, 10), (5, 15), (12, 20), (3, 20)))
    query = "SELECT start_offset, end_offset, read FROM ingest_progress"
    assert database.rows(query) == [(0, 20, 20)]


def test_what_was_forgotten_elsewhere_does_not_matter(database: Database) -> None:
    database.sink(key=["id"])
    enter(database, planned(database, (0, 10)))
    work = planned(database, (8, 20))
    forget(database, 0, 8)
    enter(database, work)
    query = "SELECT start_offset, end_offset, read FROM ingest_progress ORDER BY start_offset"
    assert database.rows(query) == [(0, 0, 0), (8, 20, 20)]
