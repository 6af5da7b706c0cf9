"""Filters and positions as addresses have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipelines.console.pages.running.asking import cursor, one_of, place_of, since_of, texts
from transforms.errors import ConfigError

AT = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


@pytest.mark.parametrize("name", ["7", "a~b", "a b&c=d"])
def test_a_position_survives_its_address(name: str) -> None:
    assert place_of("before", cursor((AT, name))) == (AT, name)
    assert cursor(None) is None
    assert place_of("before", None) is None


def test_positions_are_in_utc() -> None:
    there = AT.astimezone(timezone(timedelta(hours=5)))
    assert place_of("before", f"{there.isoformat()}~x") == (AT, "x")


@pytest.mark.parametrize("text", ["x", "2026-01-02~1", "2026-01-02T00:00:00+00:00", "~", "\0~\0"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="before must be the position"):
        place_of("before", text)


def test_texts_are_checked() -> None:
    assert texts({"a": " x ", "b": " ", "c": "y"}, "a", "b") == {"a": "x"}
    for text in ("\0", "\ud800", "x" * 1_001):
        with pytest.raises(ConfigError, match=r"^a "):
            texts({"a": text}, "a")
    with pytest.raises(ConfigError, match="there is no state 'x'; it is one of y"):
        one_of("state", "x", ["y"])
    with pytest.raises(ConfigError, match="since must be"):
        since_of({"since": "soon"})
