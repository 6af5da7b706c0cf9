from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sources.files.parquet.row_weights import cuts, weights_of

COLUMNS: dict[str, tuple[Any, list[int]]] = {
    "text": (pa.array(["ab", None, ""]), [2, 0, 0]),
    "view": (pa.array(["ab", None, "x" * 50], pa.string_view()), [2, 0, 50]),
    "dictionary": (pa.array(["abc", None, "abc"]).dictionary_encode(), [3, 8, 3]),
    "numbers": (pa.array([1, 2, None]), [8, 8, 8]),
    "lists": (pa.array([["ab", "c"], [], None]), [11, 8, 8]),
    "number lists": (pa.array([[1, 2], [3], None]), [24, 16, 8]),
    "structs": (pa.array([{"a": "x"}, {"a": "xyz"}, {"a": ""}]), [9, 11, 8]),
    "maps": (
        pa.array([[("a", "bc")], [("d", ""), ("e", "")], []], pa.map_(pa.string(), pa.string())),
        [11, 10, 8],
    ),
    "fixed lists": (pa.array([["a", "b"], ["", "c"]], pa.list_(pa.string(), 2)), [2, 1]),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_row_weighs_its_text_and_8_for_any_other_value(name: str) -> None:
    column, expected = COLUMNS[name]
    batch = pa.RecordBatch.from_arrays([column], ["c"])
    assert weights_of(batch).tolist() == expected
    for start in range(len(expected)):
        assert weights_of(batch.slice(start)).tolist() == expected[start:]


def test_cuts_keep_below_the_most_and_leave_large_rows_alone() -> None:
    assert list(cuts(np.array([4, 4, 4, 99, 5, 5]), 10, 50)) == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert list(cuts(np.array([], int), 10, 50)) == []
