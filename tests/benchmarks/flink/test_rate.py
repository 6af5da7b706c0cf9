"""The verdict on Flink's rates: every bar counts, and only medians do."""

from __future__ import annotations

import pytest

from benchmarks.flink.rate import Run, report

DIRECT = [Run(first_row=1.0, rate=100_000, command=5.0)] * 3


def runs(*figures: tuple[float, float]) -> list[Run]:
    return [Run(first_row, rate, command=2.0) for first_row, rate in figures]


def test_one_bad_round_of_three_is_no_miss(capsys: pytest.CaptureFixture[str]) -> None:
    good = (7.0, 120_000.0)
    assert report(DIRECT, {1: runs(good, (20.0, 10_000.0), good)}) == 0
    assert "first row after 7.0 s (bar: 8), 1.20 of DirectRunner" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("parallelism", "first_row", "rate"), [(1, 8.5, 120_000.0), (1, 7.0, 84_000.0), (2, 7.0, 1.1e5)]
)
def test_each_bar_can_be_missed(parallelism: int, first_row: float, rate: float) -> None:
    assert report(DIRECT, {parallelism: runs(*[(first_row, rate)] * 3)}) == 1
