"""A commit does for each batch what neither the ledger nor an earlier batch has done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sinks.work import Work, partition_of, plan
from tests.io.sinks.tested_database import make_batch, make_failure
from transforms.batch.coverage import Coverage
from transforms.batch.expansion import Branch
from transforms.batch.record import Attempt, Claim
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.several import CHANGED

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


class TestTargets:
    """The table that a failure is of, by its label; None for the pipeline's own."""

    claim = Claim("c" * 32, {(0, None, ()): Attempt(7, 1, 5, "run")}, "events", "orders")

    @pytest.mark.parametrize(
        ("failure", "claim", "target"),
        [
            ({}, None, None),
            ({"target": "public.orders"}, None, "orders"),
            ({"target": "app.orders"}, None, "app.orders"),
            ({"target": "home"}, None, None),
            ({}, claim, "orders"),  # the routes were not reached
            ({"stage": "route"}, claim, None),  # no route takes it any more
            ({"target": "notes"}, claim, "notes"),
        ],
    )
    def test_of_a_failure(
        self, failure: dict[str, Any], claim: Claim | None, target: str | None
    ) -> None:
        failed = replace(make_failure(0), **failure)
        part = Work(replace(make_batch([], failures=[failed]), claim=claim, targets=[]), None, 0)
        part.decide(RetryPolicy(), "home", "public")
        assert [fate.failure.target for fate in part.fates] == [target]

    def test_a_job_that_no_step_has_made_several_of_stays_in_its_table(self) -> None:
        expansion = (Branch(1, 2, "Lines"),)
        claim = replace(self.claim, attempts={(0, None, expansion): Attempt(7, 1, 5, "run")})
        batch = replace(
            make_batch([{"id": 1}]),
            claim=claim,
            expansions=[expansion],
            ahead=[1],
            targets=["orders"],
        )
        (part,) = plan([batch], {}, {claim.id})
        assert [(failure.category, failure.target) for failure in part.batch.failures] == [
            (CHANGED, "orders")
        ]
