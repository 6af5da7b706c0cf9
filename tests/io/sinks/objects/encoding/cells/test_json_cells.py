from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from sinks.objects.encoding.cells.json_cells import json_texts, texts_of_json
from sinks.objects.encoding.cells.unfit import FAILURES


def test_a_value_is_its_json_text_with_every_digit() -> None:
    cells = [{"n": Decimal("1.50")}, "a", [None], date(2026, 1, 31)]
    assert json_texts(cells) == [b'{"n":1.50}', b'"a"', b"[null]", b'"2026-01-31"']


def test_null_is_no_text() -> None:
    assert texts_of_json([None, 1], pa.string()).to_pylist() == [None, "1"]


@pytest.mark.parametrize(
    "cell", [float("nan"), {"a": [float("inf")]}, ({"b": float("-inf")},), object(), "\ud800"]
)
def test_what_json_has_no_form_for_is_refused(cell: Any) -> None:
    with pytest.raises(FAILURES):
        json_texts([1, cell])
