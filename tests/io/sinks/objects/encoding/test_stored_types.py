from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from sinks.objects.encoding.stored_types import stored_types


@pytest.mark.parametrize(
    ("own", "column"),
    [
        (pa.int8(), pa.int8()),
        (pa.uint64(), pa.uint64()),
        (pa.bool_(), pa.bool_()),
        (pa.float16(), pa.float64()),
        (pa.float32(), pa.float64()),
        (pa.decimal128(9, 2), pa.decimal128(9, 2)),
        (pa.decimal256(50, 2), pa.decimal256(50, 2)),
        (pa.large_string(), pa.string()),
        (pa.uuid(), pa.string()),
        (pa.binary(4), pa.binary()),
        (pa.large_binary(), pa.binary()),
        (pa.timestamp("ms"), pa.timestamp("us")),
        (pa.timestamp("ns", "Europe/Paris"), pa.timestamp("us", "UTC")),
        (pa.date64(), pa.date32()),
        (pa.time32("s"), pa.time64("us")),
        (pa.duration("ms"), pa.duration("us")),
        (pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.large_list(pa.int8()), pa.list_(pa.field("element", pa.int8()))),
        (pa.map_(pa.string(), pa.float32()), pa.map_(pa.string(), pa.float64())),
        (pa.struct([("a", pa.date64())]), pa.struct([("a", pa.date32())])),
        (pa.null(), pa.string()),
    ],
)
def test_a_column_keeps_its_type_in_its_plain_layout(own: Any, column: Any) -> None:
    assert stored_types(pa.schema([("x", own)]))["x"].arrow == column
