"""Runs are summed up by their least, median and most, and compared within a round."""

from __future__ import annotations

import pytest

from benchmarks.peers.figures import Run, Spread, rates, ratios, spread


def lasting(seconds: float) -> Run:
    return Run(seconds, 0.0, 0.0, 0.0)


def test_a_spread_has_the_least_the_median_and_the_most_in_any_order() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(1.0, 2.0, 3.0)


def test_of_an_even_number_the_median_is_in_the_middle_of_two() -> None:
    assert spread([4.0, 1.0, 2.0, 10.0]).median == 3.0


def test_nothing_has_no_spread() -> None:
    with pytest.raises(ValueError, match="no figures"):
        spread([])


def test_a_rate_is_records_a_second() -> None:
    assert rates(100, [lasting(2.0), lasting(4.0)]) == Spread(25.0, 37.5, 50.0)


def test_a_ratio_compares_runs_of_one_round_and_not_medians() -> None:
    yardstick = {0: lasting(1.0), 1: lasting(10.0), 2: lasting(2.0)}
    runs = {0: lasting(2.0), 1: lasting(5.0), 2: lasting(2.0)}
    assert ratios(yardstick, runs) == Spread(0.5, 1.0, 2.0)


def test_a_round_that_one_of_them_lacks_is_not_compared() -> None:
    assert ratios({0: lasting(1.0), 1: lasting(1.0)}, {1: lasting(4.0)}) == Spread(0.25, 0.25, 0.25)
