"""How large a round is."""

from __future__ import annotations

import pytest

from sources.kafka.fair.pace import FIRST, ROUND_SECONDS, Pace


class Database:
    """Settles records at a rate, and steps that emit them at another; a clock shows the time."""

    def __init__(self, most: int = 100_000) -> None:
        self.now = 0.0
        self.pace = Pace(most, lambda: self.now)

    def rounds(self, settles: float, emits: float = 1e6, number: int = 10_000) -> int:
        """Take full rounds; returns how large the next one may be."""
        for _ in range(number):
            records = self.pace.number
            self.pace.begin(records)
            self.now += records / emits
            self.pace.end()
            self.pace.settled(records, records / settles)
            self.pace.adapt()
        return self.pace.number


RATES = (10.0, 1_000.0, 40_000.0)


@pytest.mark.parametrize("rate", RATES)
def test_a_round_is_settled_in_a_quarter_of_a_second(rate: float) -> None:
    assert abs(Database().rounds(rate) - rate * ROUND_SECONDS) <= 1


@pytest.mark.parametrize("rate", RATES)
def test_a_round_is_emitted_in_a_quarter_of_a_second(rate: float) -> None:
    assert abs(Database().rounds(1e6, rate) - rate * ROUND_SECONDS) <= 1


def test_it_is_never_empty_and_never_more_than_fits() -> None:
    assert Database().rounds(0.01) == 1
    assert Database(most=5_000).rounds(1e6) == 5_000
    assert Pace(20).number == 20


def test_it_follows_a_database_that_becomes_slow_and_fast_again() -> None:
    database = Database()
    for rate in (40_000.0, 1_000.0, 40_000.0):
        assert abs(database.rounds(rate) - rate * ROUND_SECONDS) <= 1


def test_one_odd_measurement_changes_it_by_a_factor_only() -> None:
    database = Database()
    database.rounds(8_192.0)
    before = database.pace.number
    assert database.rounds(1.0, number=1) == before // 4


def test_a_commit_that_goes_on_is_measured_until_it_ends() -> None:
    pace = Pace(100_000)
    for seconds in (0.01, 0.02, 0.03):
        pace.settled(0, seconds)
        pace.adapt()
        assert pace.number == FIRST, "it is too short to count"
    pace.settled(100, 0.14)
    pace.adapt()
    assert pace.number == int(100 / 0.2 * ROUND_SECONDS)


def test_the_time_of_a_hold_is_not_work() -> None:
    database = Database()
    database.pace.begin(FIRST)
    database.pace.forget()
    database.now += 3_600.0
    database.pace.end()
    database.pace.adapt()
    assert database.pace.number == FIRST
