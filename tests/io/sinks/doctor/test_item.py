"""Periods and sizes for people."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sinks.doctor.item import length, room


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (-5, "0 s"), (59.9, "59 s"), (60, "1 min"), (61, "1 min 1 s")),
        *((3_600, "1 h"), (90_061, "1 d 1 h"), (86_400 + 60, "1 d"), (40 * 86_400, "40 d")),
    ],
)
def test_a_period_has_two_units_at_most(seconds: float, text: str) -> None:
    assert length(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (2_500_000_000, "2.5 GB")]
)  # fmt: skip
def test_a_size_has_a_unit(size: int, text: str) -> None:
    assert room(size) == text
