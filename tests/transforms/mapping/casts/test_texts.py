from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import cast, csv_batch, mapped_batch
from transforms.parse.json_text import encode_json


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        *[("x", "x"), (5, "5"), (Decimal("1.50"), "1.50"), (0.1, "0.1"), (True, "true")],
        *[(date(2024, 1, 2), "2024-01-02"), ({"a": [1, None]}, '{"a":[1,null]}')],
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    ],
)
def test_a_value_is_written_as_text(cell: Any, text: str) -> None:
    assert cast("text", cell) == [text]


@pytest.mark.parametrize("cell", [b"x", math.nan, Decimal("Infinity")])
def test_what_has_no_text_is_refused(cell: Any) -> None:
    (result,) = cast("text", cell)
    assert result.endswith(("has no text", "is not a finite number"))


def test_json_is_read_exactly() -> None:
    assert cast("json", '{"x": [1, 2.50, null]}', [1], "null") == [
        {"x": [1, Decimal("2.50"), None]},
        [1],
        None,
    ]


@pytest.mark.parametrize("cell", ["oops", "", "{", "NaN", "'a'", "[1,]", "01", "\ud800"])
def test_what_is_not_json_is_refused(cell: str) -> None:
    (result,) = cast("json", cell)
    assert result.endswith("is not JSON")


def test_json_that_is_nested_too_deep_is_refused() -> None:
    (result,) = cast("json", "[" * 200 + "]" * 200)
    assert result.endswith("is nested deeper than 100 levels")


def test_an_empty_cell_of_csv_is_null() -> None:
    batch = csv_batch("1,", columns=["id", "a"])
    assert mapped_batch([{"cast": {"a": "json"}}], batch).values == [{"id": "1", "a": None}]


@settings(max_examples=30)
@drawn(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda parts: st.lists(parts) | st.dictionaries(st.text(), parts),
        max_leaves=8,
    )
)
def test_json_comes_back(value: Any) -> None:
    try:
        text = encode_json(value).decode()
    except ValueError:  # half of a surrogate pair, which JSON does not carry
        return
    assert cast("json", text) == [value]
