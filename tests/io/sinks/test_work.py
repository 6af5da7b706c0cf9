"""A commit does for each batch what neither the ledger nor an earlier batch has done."""

from __future__ import annotations

from dataclasses import replace

from sinks.work import partition_of, plan
from tests.io.sinks.tested_database import make_batch
from transforms.batch.coverage import Coverage
from transforms.batch.record import Attempt, Claim

PLACE = ("file:///a", "p")


def test_a_batch_is_trimmed_to_what_is_not_settled() -> None:
    batch = make_batch([{"id": 1}, {"id": 2}, {"id": 3}])
    (part,) = plan([batch], {PLACE: Coverage(((0, 2),))}, ())
    assert (part.gaps, list(part.batch.offsets), part.trimmed) == ([(2, 3)], [2], 2)


def test_batches_of_one_commit_do_not_settle_a_record_twice() -> None:
    first, second = make_batch([{"id": 1}, {"id": 2}]), make_batch([{"id": 2}, {"id": 3}], 1)
    work = plan([first, second], {}, ())
    assert [list(part.batch.offsets) for part in work] == [[0, 1], [2]]


def test_jobs_are_written_by_the_process_that_holds_them() -> None:
    claim = Claim("c" * 32, {(0, None, ()): Attempt(7, 1, 5, "run")}, "events")
    batch = replace(make_batch([{"id": 1}]), claim=claim)
    (held,) = plan([batch], {}, {claim.id})
    (lost,) = plan([batch], {}, ())
    assert (held.batch.read, held.gaps, held.trimmed) == (1, None, 0)
    assert (lost.batch.read, lost.gaps, lost.trimmed) == (0, None, 1)


def test_a_partition_is_named_by_source_and_partition() -> None:
    assert partition_of(make_batch([])) == PLACE
