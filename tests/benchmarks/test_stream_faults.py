"""The faults are random, and the same for a seed."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from benchmarks.stream_faults import GAP_SECONDS, SERIES, Fault, schedule


@pytest.mark.parametrize("faults", SERIES)
def test_each_fault_comes_once_in_a_round_within_its_bounds(faults: dict[str, Fault]) -> None:
    planned = schedule(random.Random(3), faults)
    for _ in range(5):
        of_round = list(islice(planned, len(faults)))
        assert sorted(each.name for each in of_round) == sorted(faults)
        for each in of_round:
            assert faults[each.name].least <= each.lasting <= faults[each.name].most
            assert GAP_SECONDS[0] <= each.gap <= GAP_SECONDS[1]


def test_a_seed_gives_the_same_faults_again_and_another_one_others() -> None:
    one, again, other = (
        list(islice(schedule(random.Random(seed), SERIES[1]), 20)) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_without_faults_there_is_nothing_to_come() -> None:
    assert list(schedule(random.Random(1), {})) == []
