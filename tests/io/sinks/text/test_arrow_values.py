"""Texts become values only where the server would read the same ones; test_arrow_binary.py asks the server."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from sinks.text.arrow_values import scales_of, values_of


def texts_of(*texts: str) -> Any:
    return pa.array(["", *texts], pa.string()).slice(1)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int4", "-7", -7),
        ("numeric", "1.50", Decimal("1.50")),
        ("bool", "false", False),
        ("date", "2026-01-31", dt.date(2026, 1, 31)),
        ("timestamp", "2026-01-31 10:15:00.5", dt.datetime(2026, 1, 31, 10, 15, 0, 500_000)),
        ("timestamptz", "2026-01-31T10:15:00Z", dt.datetime(2026, 1, 31, 10, 15, tzinfo=dt.UTC)),
    ],
)
def test_the_usual_spelling_is_the_value(kind: str, text: str, value: Any) -> None:
    assert values_of(kind, texts_of(text)).to_pylist() == [value]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int4", "+7"),
        ("int8", "9223372036854775808"),
        ("numeric", "1e5"),
        ("numeric", "0." + "1" * 39),
        ("bool", "t"),
        ("date", "2026-1-31"),
        ("timestamp", "2026-01-31T10:15"),
        ("timestamp", "2026-01-31T10:15:00+01:00"),
        ("timestamptz", "2026-01-31T10:15:00"),
        ("timestamptz", "2026-01-31T10:15:00-07"),
        ("uuid", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
        ("interval", "1 day"),
    ],
)
def test_any_other_spelling_leaves_all_texts_to_the_server(kind: str, text: str) -> None:
    usual = {"bool": "true", "date": "2026-01-31", "timestamp": "2026-01-31T10:15:00"}
    assert values_of(kind, texts_of(usual.get(kind, "1"), text)) is None


def test_a_scale_is_the_number_of_digits_behind_the_point() -> None:
    assert scales_of(texts_of("1", "1.", "-1.50", ".125")).tolist() == [0, 0, 2, 3]
