from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.transforms.mapping.mapped import cast, csv_batch, mapped_batch

WORDS = {"to": "boolean", "true": ["yes", 1], "false": ["no", 0]}


@pytest.mark.parametrize(
    ("cell", "truth"),
    [
        *[(True, True), (False, False), ("true", True), ("FALSE", False), ("Yes", True)],
        *[(" no ", False), ("1", True), (0, False), (Decimal(1), True), (None, None)],
    ],
)
def test_words_of_the_mapping_stand_beside_true_and_false(cell: Any, truth: Any) -> None:
    assert cast(WORDS, cell) == [truth]


@pytest.mark.parametrize("cell", ["maybe", "", "y", 2, 1.0, "１", [], 10**30])  # noqa: RUF001
def test_anything_else_is_refused(cell: Any) -> None:
    (result,) = cast(WORDS, cell)
    assert result.endswith("is neither true/yes/1 nor false/no/0")


def test_without_words_yes_is_no_boolean() -> None:
    assert cast("boolean", "yes", "true") == ["cast a: 'yes' is neither true nor false", True]


def test_an_empty_cell_of_csv_is_null() -> None:
    batch = csv_batch("1,", columns=["id", "a"])
    assert mapped_batch([{"cast": {"a": WORDS}}], batch).values == [{"id": "1", "a": None}]
