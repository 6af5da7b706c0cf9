from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import apply, batch_of
from transforms.batch.expansion import Branch
from transforms.batch.record import Attempt, Claim, Failure, Origin, Record, RecordBatch
from transforms.batch.several import CHANGED, Several
from transforms.error_texts import stack_of
from transforms.errors import Reject, RetryLater, Snooze
from transforms.refused import Refused
from transforms.steps.apply import CHUNK, apply_to_values, failure_at


def numbered(count: int) -> RecordBatch:
    """A parsed batch: record i has offset 100 + i, value i and event time i."""
    batch = batch_of(*(b"%d" % i for i in range(count)), start=100)
    return replace(batch, values=list(range(count)), times=[float(i) for i in range(count)])


def odd(record: Record) -> Record | None:
    """Doubles; rejects 1, postpones 3, drops 5, has a bug at 7."""
    match record.value:
        case 1:
            raise Reject("one is odd", "oddity")
        case 3:
            raise RetryLater("come back")
        case 5:
            return None
        case 7:
            return record.with_value(1 / 0)
    return record.with_value(record.value * 2)


class TestApply:
    def test_each_outcome_goes_where_it_belongs(self) -> None:
        applied = apply(numbered(9), odd, "double")
        assert applied.values == [0, 4, 8, 12, 16]
        assert applied.offsets == [100, 102, 104, 106, 108]
        assert applied.raws == [b"0", b"2", b"4", b"6", b"8"]
        assert applied.times == [0.0, 2.0, 4.0, 6.0, 8.0]
        assert applied.filtered == (105,)
        rejected, postponed, broken = applied.failures
        assert (rejected.category, rejected.message, rejected.transient) == (
            "oddity",
            "one is odd",
            False,
        )
        assert (postponed.exception, postponed.transient) == ("RetryLater", True)
        assert (broken.category, broken.exception, broken.transient) == (
            "exception",
            "ZeroDivisionError",
            False,
        )
        assert {failure.stage for failure in applied.failures} == {"double"}

    def test_a_failure_has_what_a_replay_needs(self) -> None:
        failure = apply(numbered(8), odd, "double").failures[-1]
        assert failure.raw == b"7"
        assert failure.origin == Origin("memory://test", "0", 107)
        assert failure.event_time == 7.0
        assert "in odd" in failure.stack
        assert "ZeroDivisionError" in failure.stack

    @pytest.mark.parametrize(("seconds", "waits"), [(60.0, 60.0), (0.0, 0.0), (-5.0, 0.0)])
    def test_a_snoozed_record_waits_as_long_as_it_asked(self, seconds: float, waits: float) -> None:
        def snooze(record: Record) -> Record:
            raise Snooze("not yet", seconds)

        (failure,) = apply(numbered(1), snooze, "wait").failures
        assert (failure.category, failure.exception) == ("snoozed", "Snooze")
        assert (failure.transient, failure.snooze, failure.message) == (True, waits, "not yet")

    def test_only_a_snoozed_record_names_its_wait(self) -> None:
        assert [failure.snooze for failure in apply(numbered(9), odd, "double").failures] == [
            None,
            None,
            None,
        ]

    def test_nothing_is_lost_from_the_count(self) -> None:
        assert apply(numbered(9), odd, "double").read == 9

    def test_the_batch_passed_in_stays_as_it_was(self) -> None:
        batch = numbered(9)
        before = copy.deepcopy(batch)
        apply(batch, odd, "double")
        assert batch == before

    def test_lists_are_shared_when_no_record_left(self) -> None:
        batch = numbered(3)
        applied = apply(batch, lambda record: record.with_value(-record.value), "negate")
        assert applied.values == [0, -1, -2]
        assert applied.raws is batch.raws
        assert applied.offsets is batch.offsets
        assert applied.times is batch.times

    def test_earlier_failures_and_drops_are_kept(self) -> None:
        once = apply(numbered(9), odd, "first")
        twice = apply(once, lambda record: None if record.value == 4 else record, "second")
        assert twice.failures == once.failures
        assert (twice.filtered, twice.read) == ((105, 102), 9)

    def test_a_batch_may_be_empty(self) -> None:
        applied = apply(replace(batch_of(), values=[]), odd, "double")
        assert (applied.values, applied.read) == ([], 0)

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()])
    def test_what_is_no_records_fault_propagates(self, error: BaseException) -> None:
        def stop(record: Record) -> Record:
            raise error

        with pytest.raises(type(error)):
            apply(numbered(1), stop, "stop")

    @pytest.mark.parametrize("kind", [list, tuple])
    def test_a_step_may_return_several_records(self, kind: Any) -> None:
        def digits(record: Record) -> Any:
            return kind(record.with_value(digit) for digit in range(record.value))

        applied = apply(numbered(4), digits, "digits")
        assert applied.values == [0, 0, 1, 0, 1, 2]
        assert applied.offsets == [101, 102, 102, 103, 103, 103]
        assert applied.times == [1.0, 2.0, 2.0, 3.0, 3.0, 3.0]
        assert applied.filtered == (100,)
        assert (applied.read, applied.expanded) == (7, 3)
        assert applied.record(5).origin == Origin(
            "memory://test", "0", 103, expansion=(Branch(2, 3, "digits"),)
        )

    def test_a_step_may_return_several_values(self) -> None:
        applied = apply(numbered(1), lambda _: Several("ab"), "letters")
        assert applied.values == ["a", "b"]

    def test_one_of_several_fails_alone_in_the_next_step(self) -> None:
        applied = apply(numbered(1), lambda _: Several(range(9)), "count")
        doubled = apply(applied, odd, "double")
        assert doubled.values == [0, 4, 8, 12, 16]
        assert [failure.origin.place for failure in doubled.failures] == [
            "100[1/9]",
            "100[3/9]",
            "100[7/9]",
        ]
        assert {failure.raw for failure in doubled.failures} == {b"0"}
        assert doubled.filtered == (100,)

    def test_a_step_that_drops_the_record_of_a_job_drops_no_other_record_in_its_place(self) -> None:
        path = (Branch(1, 2, "odd"),)
        claim = Claim("1" * 32, {(100, None, path): Attempt(1, 2, 10, "run")}, "events")
        batch = replace(numbered(1), claim=claim, expansions=[path], ahead=[1])
        applied = apply(batch, lambda _: None, "odd")
        assert ([f.category for f in applied.failures], applied.filtered) == ([CHANGED], ())

    def test_values_in_a_list_are_refused(self) -> None:
        (failure,) = apply(numbered(1), lambda _: [1], "wrong").failures

        assert failure.message == (
            "the step returned a list with int; return a list of Records, or Several(values)"
        )

    def test_several_records_may_differ_in_their_values_only(self) -> None:
        def wrong(record: Record) -> list[Record]:
            return [record, replace(record, raw=b"other")]

        (failure,) = apply(numbered(1), wrong, "wrong").failures
        assert failure.message == "the step changed more than the value; use record.with_value(...)"

    def test_a_step_must_return_a_record(self) -> None:
        def wrong(record: Record) -> Any:
            return record.value

        (failure,) = apply(numbered(1), wrong, "wrong").failures
        assert failure.message == "the step returned int; return a Record, a list of them, or None"

    @pytest.mark.parametrize(
        "change", [{"raw": b"x"}, {"origin": Origin("a", "b", 1)}, {"event_time": 5.0}]
    )
    def test_a_step_must_not_change_what_was_read(self, change: dict[str, Any]) -> None:
        applied = apply(numbered(1), lambda record: replace(record, **change), "wrong")
        assert [failure.category for failure in applied.failures] == ["exception"]
        assert "with_value" in applied.failures[0].message


class TestApplyToValues:
    def test_only_the_chunk_with_a_failure_is_taken_apart(self) -> None:
        count = 3 * CHUNK + 1
        batch = numbered(count)
        single: list[int] = []

        def one(value: int) -> int:
            single.append(value)
            if value == CHUNK + 7:
                raise Reject("no")
            return -value

        def whole(values: Any) -> Any:
            return None if CHUNK + 7 in values else [-value for value in values]

        assert batch.values is not None
        applied = apply_to_values(batch, batch.values, one, "negate", whole)
        assert single == list(range(CHUNK, 2 * CHUNK))
        assert applied.values == [-i for i in range(count) if i != CHUNK + 7]
        assert [failure.origin.offset for failure in applied.failures] == [100 + CHUNK + 7]


def test_a_failure_is_of_the_table_that_its_record_was_sent_to() -> None:
    batch = replace(batch_of(b"1", b"x", b"3"), targets=["t", "u", "t"])
    result = apply_to_values(batch, batch.raws, int, "s")
    assert [failure.target for failure in result.failures] == ["u"]
    assert result.targets == ["t", "t"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"times": [1.5, 2.5], "keys": [b"k", None], "headers": [(), (("h", b"v"),)]},
        {"elements": [3, 4], "expansions": [(), (Branch(1, 2, "s"),)]},
    ],
    ids=list,
)
def test_a_failure_of_a_batch_is_that_of_its_record(more: dict[str, Any]) -> None:
    batch = replace(batch_of(b"1", b"2"), **more)
    error = ValueError("no")
    for index in range(2):
        quick = failure_at(
            *(batch, index, "write", "ValueError", Refused("data", "no", stack_of(error))),
            sqlstate="22000",
            transient=True,
            target="t",
        )
        usual = Failure.of(
            *(batch.record(index), "write", "data", error), sqlstate="22000", transient=True
        )
        assert quick == replace(usual, target="t")
        assert type(quick) is Failure
