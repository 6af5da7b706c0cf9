from __future__ import annotations

from typing import Any

import pytest

from transforms.mapping.field import Field, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *[("x\ny", "'x\\ny'"), (1.5, "1.5"), (True, "true"), ({"a": 1}, "an object")],
        *[([1], "an array"), (10**400, "a long number"), ("x" * 100, "'" + "x" * 58 + "…")],
    ],
)
def test_a_value_is_shown_short_and_on_one_line(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_hidden_value_is_never_shown() -> None:
    refusal = Field("cast", "a", hidden=True).refused("secret", "is no number")
    assert str(refusal) == "cast a: its value, which the mapping hides, is no number"
    assert refusal.category == "mapping"
