"""Every program runs once a round, side by side with its neighbours; the slow are foreseen."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.peers.rounds import expected_seconds, order


def test_every_program_runs_once_in_each_round() -> None:
    plan = list(order("abc", 4))
    assert [number for number, _ in plan] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert all(
        sorted(name for n, name in plan if n == number) == list("abc") for number in range(4)
    )


def test_neighbours_stay_neighbours_and_take_turns_in_going_first() -> None:
    plan = list(order("abcd", 2))
    pairs = {frozenset((first, second)) for (n, first), (m, second) in pairwise(plan) if n == m}
    assert pairs == {frozenset("ab"), frozenset("bc"), frozenset("cd")}
    assert plan.index((0, "a")) < plan.index((0, "b"))
    assert plan.index((1, "a")) > plan.index((1, "b"))


def test_a_start_is_paid_once_and_each_record_every_time() -> None:
    # A start of 2 s, and 1 ms a record.
    assert expected_seconds(1_000_000, (1_000, 3.0), (21_000, 23.0)) == 1_002.0


def test_a_trial_that_was_faster_with_more_records_foresees_no_less_than_a_start() -> None:
    assert expected_seconds(1_000_000, (1_000, 3.0), (20_000, 2.5)) == 3.0
