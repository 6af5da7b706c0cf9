"""What a commit enters into the ledger, and when another writer was faster."""

from __future__ import annotations

import pytest

from sinks import entries
from sinks.database.engine import transaction
from sinks.work import Work, plan
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
