"""How large a round is, and when it is settled before the next one."""

from __future__ import annotations

from sources.kafka.fair.pace import FIRST, ROUND_SECONDS, Pace


class Database:
    """Settles records at a rate; a clock shows the time that it takes."""

    def __init__(self, most: int = 100_000) -> None:
        self.now = 0.0
        self.pace = Pace(most, lambda: self.now)

    def full_rounds(self, rate: float, rounds: int = 30) -> int:
        """Take rounds that are as large as they may be; returns how large the next one may be."""
        for _ in range(rounds):
            number = self.pace.number
            assert self.pace.begin(number), "a full round is settled"
            self.now += number / rate
            self.pace.end()
        return self.pace.number


def test_a_round_is_half_a_second_of_work() -> None:
    for rate in (10.0, 1_000.0, 40_000.0):
        assert abs(Database().full_rounds(rate) - rate * ROUND_SECONDS) <= 1


def test_it_is_never_empty_and_never_more_than_fits() -> None:
    assert Database().full_rounds(0.01) == 1
    assert Database(most=5_000).full_rounds(1e9) == 5_000
    assert Pace(20).number == 20


def test_it_follows_a_database_that_becomes_slow_and_fast_again() -> None:
    database = Database()
    for rate in (40_000.0, 1_000.0, 40_000.0):
        assert abs(database.full_rounds(rate) - rate * ROUND_SECONDS) <= 1


def test_one_odd_round_changes_it_by_a_factor_only() -> None:
    database = Database()
    assert database.full_rounds(10_000.0) == 5_000
    assert database.full_rounds(1.0, rounds=1) == 5_000 // 4
    assert database.full_rounds(1e9, rounds=1) == 5_000


def test_a_small_round_does_not_say_how_fast_a_full_one_is() -> None:
    database = Database()
    database.full_rounds(10_000.0)
    assert not database.pace.begin(1)
    database.now += 0.1
    database.pace.end()
    assert database.pace.number == 5_000


def test_a_small_round_that_takes_long_is_a_reason_for_smaller_ones() -> None:
    database = Database()
    database.full_rounds(10_000.0)
    database.pace.begin(1_000)
    database.now += 1.0
    database.pace.end()
    assert database.pace.number == 5_000 // 4


def test_what_comes_no_faster_than_it_is_settled_is_not_waited_for() -> None:
    database = Database()
    assert database.full_rounds(1_000.0) == 500
    for _ in range(20):
        assert not database.pace.begin(100)
        database.now += 0.1
        database.pace.end()


def test_once_more_was_returned_than_can_have_been_settled_it_is() -> None:
    database = Database()
    assert database.full_rounds(1_000.0) == 500
    assert [database.pace.begin(200) for _ in range(4)] == [False, False, True, False]


def test_the_time_of_a_hold_is_not_work() -> None:
    database = Database()
    database.pace.begin(FIRST)
    database.pace.forget()
    database.now += 3_600.0
    database.pace.end()
    assert database.pace.number == FIRST
