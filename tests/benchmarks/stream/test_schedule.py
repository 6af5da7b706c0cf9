"""The faults are random, and the same for a seed."""

from __future__ import annotations

import random
from itertools import islice

from benchmarks.stream.schedule import GAP_SECONDS, schedule

LASTING = {"killed": (0.0, 3.0), "suspended": (5.0, 25.0), "lost": (15.0, 15.0)}


def test_each_fault_comes_once_in_a_round_and_lasts_as_long_as_it_may() -> None:
    planned = schedule(random.Random(3), LASTING)
    for _ in range(20):
        of_round = list(islice(planned, len(LASTING)))
        assert sorted(fault.name for fault in of_round) == sorted(LASTING)
        for fault in of_round:
            least, most = LASTING[fault.name]
            assert least <= fault.lasting <= most
            assert GAP_SECONDS[0] <= fault.gap <= GAP_SECONDS[1]


def test_a_seed_gives_the_same_faults_again_and_another_one_others() -> None:
    one, again, other = (
        list(islice(schedule(random.Random(seed), LASTING), 20)) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_some_faults_do_not_wait_until_the_last_one_is_got_over() -> None:
    rushed = {each.rushed for each in islice(schedule(random.Random(1), LASTING), 60)}
    assert rushed == {False, True}


def test_without_faults_there_is_nothing_to_come() -> None:
    assert list(schedule(random.Random(1), {})) == []
