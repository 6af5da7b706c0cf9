"""Columns whose values repeat have a dictionary, and no others."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sinks.objects.encoding.dictionaries import SAMPLE_ROWS, repeating

MAP = pa.map_(pa.string(), pa.int64())
PAIRS = pa.list_(pa.field("element", pa.struct([("n", pa.int64())])))


def with_dictionaries(table: Any) -> set[str]:
    """The leaf columns for which Parquet has written one."""
    file = io.BytesIO()
    pq.write_table(table, file, use_dictionary=repeating(table))
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    return {column.path_in_schema for column in columns if column.has_dictionary_page}


def test_what_repeats_has_a_dictionary_and_what_is_distinct_has_none() -> None:
    table = pa.table(
        {
            "id": [f"{number:032x}" for number in range(100)],
            "number": list(range(100)),
            "kind": ["a", "b"] * 50,
            "empty": pa.nulls(100, pa.string()),
        }
    )
    assert repeating(table) == ["kind", "empty"]
    assert with_dictionaries(table) == {"kind", "empty"}


def test_nested_columns_keep_theirs() -> None:
    table = pa.table(
        {
            "to": pa.array([{"city": "x", "lines": [{"n": 1}]}] * 4),
            "pairs": pa.array([[{"n": 1}]] * 4, PAIRS),
            "names": pa.array([[("a", 1)]] * 4, MAP),
        }
    )
    assert with_dictionaries(table) == {
        "to.city",
        "to.lines.list.element.n",
        "pairs.list.element.n",
        "names.key_value.key",
        "names.key_value.value",
    }


def test_only_the_first_rows_are_looked_at() -> None:
    table = pa.table({"n": [1] * SAMPLE_ROWS + list(range(10 * SAMPLE_ROWS))})
    assert repeating(table) == ["n"]
