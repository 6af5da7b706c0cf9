from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.fakes import batch_of
from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import Attempt, Claim, RecordBatch
from transforms.batch.several import (
    CHANGED,
    MOST_RECORDS,
    TOO_MANY,
    Several,
    with_all_taken,
    with_several,
)


def parsed(*values: Any) -> RecordBatch:
    """One record at each offset from 100 on, with its value."""
    batch = batch_of(*(b"raw%d" % i for i in range(len(values))), start=100)
    return replace(batch, values=list(values), times=[float(i) for i in range(len(values))])


def made(batch: RecordBatch, *values: Any, step: str = "Lines") -> RecordBatch:
    return with_several(batch, values, (), (), (), step)


def job(expansion: Expansion) -> RecordBatch:
    """One job, claimed with its expansion, all of whose branches are ahead."""
    claim = Claim("1" * 32, {(100, None, expansion): Attempt(7, 2, 10, "run")}, "events")
    ahead = [len(expansion)] if expansion else None
    return replace(parsed("whole"), claim=claim, expansions=[expansion], ahead=ahead)


class TestFreshRecords:
    def test_the_records_of_one_follow_each_other_and_share_all_but_the_value(self) -> None:
        batch = made(parsed("a", "b"), Several(("a1", "a2")), "b")
        assert batch.values == ["a1", "a2", "b"]
        assert batch.offsets == [100, 100, 101]
        assert batch.raws == [b"raw0", b"raw0", b"raw1"]
        assert batch.raws[0] is batch.raws[1]
        assert batch.times == [0.0, 0.0, 1.0]
        assert [record.origin.expansion for record in batch.records()] == [
            (Branch(0, 2, "Lines"),),
            (Branch(1, 2, "Lines"),),
            (),
        ]
        assert [record.origin.place for record in batch.records()] == [
            "100[0/2]",
            "100[1/2]",
            "101",
        ]

    def test_what_is_beyond_the_first_of_one_is_expanded(self) -> None:
        batch = made(parsed("a", "b", "c"), Several("xyz"), "b", Several())
        assert (batch.read, batch.expanded) == (5, 2)
        assert batch.filtered == (102,)

    def test_one_is_the_same_as_the_value_alone(self) -> None:
        batch = made(parsed("a"), Several(("b",)))
        assert batch.values == ["b"]
        assert batch.record(0).origin.expansion == ()
        assert batch.expanded == 0

    def test_a_second_step_adds_a_branch(self) -> None:
        lines = made(parsed("a"), Several(("a1", "a2")))
        words = made(lines, "a1", Several(("x", "y", "z")), step="Words")
        assert [record.origin.expansion for record in words.records()] == [
            (Branch(0, 2, "Lines"),),
            (Branch(1, 2, "Lines"), Branch(0, 3, "Words")),
            (Branch(1, 2, "Lines"), Branch(1, 3, "Words")),
            (Branch(1, 2, "Lines"), Branch(2, 3, "Words")),
        ]
        assert (words.read, words.expanded) == (4, 3)

    def test_a_record_that_would_become_too_many_is_one_failure(self) -> None:
        many = Several(range(MOST_RECORDS + 1))
        batch = made(parsed("a", "b"), many, Several("xy"))
        (failure,) = batch.failures
        assert (failure.category, failure.stage, failure.raw) == (TOO_MANY, "Lines", b"raw0")
        assert failure.message == "the step makes 10,001 records of this one; 10,000 are the most"
        assert batch.values == ["x", "y"]
        assert (batch.read, batch.expanded) == (3, 1)

    def test_as_many_as_allowed_are_made(self) -> None:
        batch = made(parsed("a"), Several(range(MOST_RECORDS)))
        assert (len(batch.raws), batch.expanded) == (MOST_RECORDS, MOST_RECORDS - 1)

    def test_shared_bytes_are_counted_once(self) -> None:
        assert made(parsed("a", "b"), Several("xyz"), "b").raw_bytes == len(b"raw0raw1")


LINE = (Branch(1, 3, "Lines"),)
WORD = (*LINE, Branch(0, 2, "Words"))


class TestJobs:
    def test_a_job_goes_on_as_the_one_that_it_was(self) -> None:
        batch = made(job(LINE), Several("xyz"))
        assert batch.values == ["y"]
        assert batch.record(0).origin.expansion == LINE
        assert (batch.read, batch.expanded, batch.ahead) == (1, 0, None)

    def test_it_takes_a_branch_at_each_step(self) -> None:
        lines = made(job(WORD), Several("xyz"))
        assert (lines.values, lines.ahead) == (["y"], [1])
        words = made(lines, Several("pq"), step="Words")
        assert (words.values, words.ahead) == (["p"], None)
        assert words.record(0).origin.expansion == WORD

    def test_a_step_before_leaves_the_branch_ahead(self) -> None:
        batch = made(job(LINE), "changed", step="Clean")
        assert (batch.values, batch.ahead) == (["changed"], [1])
        assert batch.record(0).origin.expansion == LINE

    def test_a_step_before_may_leave_the_record_out(self) -> None:
        batch = made(job(LINE), Several(), step="Clean")
        assert (batch.filtered, batch.failures) == ((100,), ())

    def test_another_count_than_then_is_a_dead_letter_of_the_same_job(self) -> None:
        for now, says in [
            (Several("wxyz"), "now the step makes 4 of it, not 3"),
            ("one", "now the step makes 1 of it, not 3"),
            (Several(), "now the step makes 0 (it leaves the record out) of it, not 3"),
        ]:
            batch = made(job(LINE), now)
            (failure,) = batch.failures
            assert (failure.category, failure.transient) == (CHANGED, False)
            assert failure.message == (
                f"this was record 1 of the 3 that step 'Lines' made of one; {says}"
            )
            assert failure.origin.expansion == LINE
            assert (batch.raws, batch.filtered, batch.expanded) == ([], (), 0)

    def test_an_earlier_step_that_makes_several_now_is_a_dead_letter_too(self) -> None:
        (failure,) = made(job(LINE), Several("ab"), step="Clean").failures
        assert failure.category == CHANGED
        assert "now step 'Clean' makes 2 of it, where there was 1 then" in failure.message

    def test_a_branch_that_no_step_made_is_a_dead_letter_at_the_end(self) -> None:
        batch = with_all_taken(made(job(LINE), "same", step="Clean"), "write")
        (failure,) = batch.failures
        assert (failure.category, failure.stage) == (CHANGED, "write")
        assert "now there is no such step" in failure.message
        assert (batch.raws, batch.ahead, batch.read) == ([], None, 1)

    def test_a_job_of_before_may_become_several(self) -> None:
        batch = made(job(()), Several("xyz"))
        assert batch.values == ["x", "y", "z"]
        assert (batch.read, batch.expanded) == (3, 2)

    def test_one_of_several_may_become_several_behind_its_branch(self) -> None:
        line = made(job(LINE), Several("xyz"))
        words = made(line, Several("pq"), step="Words")
        assert [record.origin.expansion for record in words.records()] == [
            (*LINE, Branch(0, 2, "Words")),
            (*LINE, Branch(1, 2, "Words")),
        ]
        assert words.expanded == 1


def test_a_failure_is_of_the_table_that_its_record_was_sent_to() -> None:
    batch = replace(parsed("a"), targets=["t"])
    assert [failure.target for failure in made(batch, Several("x" * 10_001)).failures] == ["t"]
    left = with_all_taken(replace(job(LINE), targets=["t"]), "write")
    assert [failure.target for failure in left.failures] == ["t"]
