from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sinks.objects.encoding.cells.unfit import SHOWN, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        ("a\nb", "'a\\nb'"),
        ({"a": 1}, "dict {'a': 1}"),
    ],
)
def test_a_value_is_shown_on_one_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_an_integer_that_python_does_not_write_out_is_shown_by_its_length() -> None:
    assert shown(2**20_000) == "an integer of 20,001 bits"


def test_a_long_value_is_shortened() -> None:
    assert len(shown("x" * 1_000)) == SHOWN
