from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinks.objects.encoding.columns import Columns
from sinks.objects.encoding.origins import Origins
from sinks.objects.encoding.parquet import encode
from sinks.objects.encoding.stored_types import stored_types
from sources.files.source import FilesSource
from tests.io.sources.reading import read_all


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


OWN: list[tuple[str, Any, list[Any]]] = [
    ("i", pa.int16(), [-5, None]),
    ("u", pa.uint64(), [2**64 - 1, None]),
    ("b", pa.bool_(), [True, None]),
    ("f", pa.float32(), [0.1, float("inf")]),
    ("g", pa.float64(), [float("-inf"), None]),
    ("d", pa.decimal128(9, 2), [Decimal("1.10"), None]),
    ("s", pa.large_string(), ["a\x00ü", ""]),
    ("y", pa.binary(), [b"\xff", b""]),
    ("t", pa.timestamp("us", "UTC"), [datetime(2026, 1, 31, 12, tzinfo=UTC), None]),
    ("l", pa.timestamp("ms"), [datetime(2026, 1, 31, 12), None]),
    ("n", pa.timestamp("ns"), [datetime(2026, 1, 31, 12, 0, 0, 5), None]),
    ("a", pa.date32(), [date(2026, 1, 31), None]),
    ("c", pa.time64("us"), [time(12, 30), None]),
    ("p", pa.duration("us"), [timedelta(seconds=5), None]),
    ("w", pa.list_(pa.int8()), [[1, None], []]),
    ("m", pa.map_(pa.string(), pa.int32()), [[("k", 1)], []]),
    ("k", pa.map_(pa.int32(), pa.string()), [[(1, "a")], None]),
    ("r", pa.struct([("x", pa.decimal128(5, 1))]), [{"x": Decimal("1.5")}, None]),
    ("e", pa.dictionary(pa.int8(), pa.string()), ["a", None]),
]


def test_rows_of_a_parquet_file_come_through_with_their_types(tmp_path: Path) -> None:
    table = pa.table({name: pa.array(cells, own) for name, own, cells in OWN})
    pq.write_table(table, tmp_path / "own.parquet")
    source = FilesSource(f"{tmp_path}/own.parquet")
    (batch,) = [each for each in read_all(source) if each.raws]
    columns = Columns.of_arrow(source.stored_schema(), origin=False)
    file = BytesIO()
    encoded = encode(columns, batch.values or [], Origins.of(batch), file)
    assert encoded.refused == []
    rows = pq.read_table(BytesIO(file.getvalue())).drop_columns(["payload"]).to_pylist()
    assert rows == table.to_pylist()
