"""Moments and durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipelines.console.rendering.times import duration, relative, time_element

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def test_a_moment_is_in_utc_whatever_its_zone() -> None:
    there = datetime(2026, 11, 26, 13, 30, tzinfo=timezone(timedelta(hours=5)))
    element = '<time datetime="2026-11-26T08:30:00.000Z" title="2026-11-26 08:30:00 UTC">'
    for moment in (there, there.astimezone(UTC).replace(tzinfo=None), there.timestamp()):
        assert time_element(moment, NOW) == f"{element}2026-11-26 08:30:00 UTC</time>"
    assert time_element(there, NOW, "relative") == f"{element}3 h 30 min ago</time>"
    assert "–" in time_element(None, NOW)
    assert "–" in time_element(1e300, NOW)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (90, "1 min 30 s ago"), (-3600, "in 1 h"), (10 * 86_400, "10 d ago")],
)
def test_relative(seconds: float, text: str) -> None:
    assert relative(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 ms"), (0.25, "250 ms"), (1, "1 s"), (59.7, "1 min")),
        *((3600, "1 h"), (3601, "1 h"), (86_400 + 3_600, "1 d 1 h"), (-5, "-5 s")),
        *((None, "–"), (float("nan"), "–"), (float("inf"), "–")),
    ],
)
def test_a_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
