"""A run whose records fail in masses ends before it has stored them all as dead letters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from tests.transforms.forks import in_child
from transforms.batch.counts import Counts
from transforms.batch.record import JSON, Failure, Origin, Span
from transforms.errors import ConfigError, DeadBudgetExceeded
from transforms.settle import dead_budget
from transforms.settle.dead_budget import LEAST, RECORDS, DeadBudget, Spending, spending_of
from transforms.settle.sink import Settled


@dataclass(frozen=True)
class Folder:
    """A source that owns every file of a folder."""

    uri: str

    def owns(self, source: str) -> bool:
        return source.startswith(self.uri)


A, B = Folder("file:///a/"), Folder("file:///b/")
HALF = DeadBudget.parse("50%", (A, B))


def commit(
    good: int, dead: int, source: str = "file:///a/1", attempts: int = 0, category: str = "json"
) -> Settled:
    failures = tuple(
        Failure(
            origin=Origin(source, "p", offset),
            raw=b"{",
            format=JSON,
            stage="parse",
            category=category,
            exception="Reject",
            message="invalid JSON at byte 1",
            stack="",
        )
        for offset in range(dead)
    )
    counts = Counts(read=good + dead, inserted=good, dead=dead)
    return Settled(Span(source, "p", 0, good + dead), counts, attempts=attempts, dead=failures)


def accepted(spending: Spending, *outcomes: Settled) -> bool:
    """Whether a commit goes through; if it does, it is counted."""
    try:
        spending.check(outcomes)
    except DeadBudgetExceeded:
        return False
    spending.spend(outcomes)
    return True


def test_a_percentage_is_of_records_also_of_those_within_messages() -> None:
    one = commit(good=0, dead=400)
    counts = Counts(read=1, expanded=999, inserted=600, dead=400)
    assert accepted(Spending(HALF), replace(one, counts=counts))
    assert not accepted(
        Spending(HALF), replace(one, counts=replace(counts, expanded=700)), commit(0, 300)
    )


class TestParse:
    @pytest.mark.parametrize(
        ("text", "number", "percent"),
        [("0", 0, None), ("250", 250, None), ("0%", None, 0), ("2.5%", None, 2.5)],
    )
    def test_a_number_or_a_percentage(
        self, text: str, number: int | None, percent: float | None
    ) -> None:
        budget = DeadBudget.parse(text)
        assert (budget.number, budget.percent) == (number, percent)

    @pytest.mark.parametrize("text", ["", "-1", "1.5", "101%", "-1%", "x%", "nan%", "%", "\u0661"])
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ConfigError, match="max_dead must be a number or a percentage"):
            DeadBudget.parse(text)


class TestPercentage:
    def test_it_means_nothing_for_few_records(self) -> None:
        assert accepted(Spending(HALF), commit(0, LEAST - 1))

    def test_the_commit_that_crosses_it_is_refused(self) -> None:
        spending = Spending(HALF)
        assert accepted(spending, commit(500, 499))
        assert accepted(spending, commit(0, 1))
        assert not accepted(spending, commit(0, 1))
        assert accepted(spending, commit(1, 1))

    def test_it_is_of_the_last_records(self) -> None:
        spending = Spending(HALF)
        for _ in range(RECORDS * 3 // 1_000):
            assert accepted(spending, commit(1_000, 0))
        went_through = 0
        while accepted(spending, commit(0, 100)):
            went_through += 100
        assert went_through == RECORDS // 2

    def test_each_source_has_its_own_whatever_the_number_of_its_files(self) -> None:
        spending = Spending(HALF)
        assert accepted(spending, commit(2 * RECORDS, 0, "file:///b/1"))
        for number in range(9):
            assert accepted(spending, commit(0, 100, f"file:///a/{number}"))
        assert not accepted(spending, commit(0, 100, "file:///a/9"))
        assert accepted(spending, commit(0, 100, "file:///b/2"))

    def test_attempts_at_jobs_do_not_count(self) -> None:
        assert accepted(Spending(HALF), commit(0, 5_000, attempts=5_000))

    def test_all_of_them_may_be_dead_where_that_is_allowed(self) -> None:
        assert accepted(Spending(DeadBudget.parse("100%")), commit(0, 5_000))


class TestNumber:
    def test_it_is_of_the_whole_run(self) -> None:
        spending = Spending(DeadBudget.parse("3"))
        assert accepted(spending, commit(0, 2, "file:///a/1"))
        assert accepted(spending, commit(0, 1, "file:///b/1"))
        assert not accepted(spending, commit(9, 1))
        assert accepted(spending, commit(9, 0))

    def test_none_at_all(self) -> None:
        assert not accepted(Spending(DeadBudget.parse("0")), commit(9, 1))

    def test_those_of_other_workers_count_as_well(self) -> None:
        def in_a_worker() -> bool:  # whose number nobody else sees
            spending = Spending(DeadBudget.parse("3"))
            assert accepted(spending, commit(0, 1))
            dead_budget.elsewhere(2)
            assert accepted(spending, commit(9, 0))
            return not accepted(spending, commit(9, 1))

        assert in_child(in_a_worker)

    def test_a_worker_tells_of_its_own(self) -> None:
        def in_a_worker() -> bool:
            dead_budget.elsewhere(2)
            assert accepted(spending_of(HALF, "run"), commit(0, 3))
            return dead_budget.spent() == 3

        assert in_child(in_a_worker)


class TestMessage:
    def test_it_names_source_category_and_an_example_in_one_line(self) -> None:
        outcomes = [commit(0, 10, category="too_large"), commit(400, 990)]
        with pytest.raises(DeadBudgetExceeded) as caught:
            Spending(HALF).check(outcomes)
        (line,) = str(caught.value).splitlines()
        assert "1,000 of the last 1,400 records of file:///a/ are dead letters" in line
        assert "--max_dead 50%" in line
        assert "parse/json (990 in this commit)" in line
        assert "file:///a/1 p at 0: invalid JSON at byte 1" in line


def test_each_run_has_its_own() -> None:
    one, other = spending_of(HALF, "run-1"), spending_of(HALF, "run-2")
    assert one is spending_of(HALF, "run-1")
    assert one is not other


class TestAStream:
    """It is asked by how much the budget is used up, and what failed before a resume does not count."""

    FIVE = DeadBudget.parse("5", pauses=True)

    def test_the_excess_is_said_without_being_raised(self) -> None:
        spending = Spending(self.FIVE)
        assert spending.excess([commit(0, 5)]) == ""
        line = spending.excess([commit(0, 6)])
        assert line.startswith(
            "6 records are dead letters, more than --max_dead 5 allows; most are"
        )
        assert "nothing of this commit" not in line
        assert "invalid JSON" not in line, "it goes to logs, and a message may quote its record"

    def test_a_resume_forgets_numbers_and_windows_once(self) -> None:
        first, second = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
        spending = Spending(self.FIVE)
        spending.count_from(None)
        spending.spend([commit(0, 5)])
        spending.count_from(None)
        assert spending.excess([commit(0, 1)])
        spending.count_from(first)
        assert not spending.excess([commit(0, 5)])
        spending.spend([commit(0, 5)])
        spending.count_from(first)
        assert spending.excess([commit(0, 1)])
        percent = Spending(HALF)
        percent.spend([commit(0, LEAST)])
        assert percent.excess([commit(0, 1)])
        percent.count_from(second)
        assert not percent.excess([commit(0, 1)])
