from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest

from tests.io.sources.files.parquet.writing import replayed, spelled, values, written
from tests.io.sources.reading import read_all


def value_of(path: Path, array: Any) -> Any:
    """The Python value that a column of one value is read as."""
    (row,) = values(read_all(written(path, pa.table({"x": array}))))
    return row["x"]


UID = UUID("6513270e-269e-4d37-b2a7-4de452e6b438")
TYPES: list[tuple[str, Any, Any]] = [
    ("int64", pa.array([2**62 + 1], pa.int64()), 2**62 + 1),
    ("uint64", pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    ("float", pa.array([0.1], pa.float64()), 0.1),
    ("bool", pa.array([True]), True),
    ("text", pa.array(["é\0"]), "é\0"),
    ("null", pa.array([None], pa.int32()), None),
    ("binary", pa.array([b"\xff\0"]), b"\xff\0"),
    (
        "decimal",
        pa.array([Decimal("12345678901234567890123456.789")], pa.decimal128(38, 3)),
        Decimal("12345678901234567890123456.789"),
    ),
    ("date", pa.array([date(2026, 2, 3)]), date(2026, 2, 3)),
    ("time", pa.array([time(1, 2, 3, 4)]), time(1, 2, 3, 4)),
    ("time64ns", pa.array([1_001], pa.time64("ns")), time(0, 0, 0, 1)),
    (
        "timestamp",
        pa.array([datetime(2026, 1, 2, 3, 4, 5, 6)], pa.timestamp("us")),
        datetime(2026, 1, 2, 3, 4, 5, 6),
    ),
    (
        "timestamp with zone",
        pa.array([datetime(2026, 1, 2, 3, 4, 5, 6, UTC)], pa.timestamp("us", "Asia/Tokyo")),
        datetime(2026, 1, 2, 3, 4, 5, 6, UTC),
    ),
    (
        "timestamp ns",
        pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
        datetime(2023, 11, 14, 22, 13, 20, 123456, UTC),
    ),
    ("duration", pa.array([1_500], pa.duration("ns")), timedelta(microseconds=1)),
    ("uuid", pa.array([UID.bytes], pa.uuid()), str(UID)),
    ("fixed binary", pa.array([UID.bytes], pa.binary(16)), UID.bytes),
    ("dictionary", pa.array(["a"]).dictionary_encode(), "a"),
    ("list", pa.array([[1, None]]), [1, None]),
    ("struct", pa.array([{"a": {"b": 1}}]), {"a": {"b": 1}}),
    (
        "list of ns",
        pa.array([[1_001]], pa.list_(pa.timestamp("ns"))),
        [datetime(1970, 1, 1, 0, 0, 0, 1)],
    ),
    (
        "map",
        pa.array([[("a", 1), ("b", None)]], pa.map_(pa.string(), pa.int32())),
        {"a": 1, "b": None},
    ),
    (
        "map with a key twice",
        pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int32())),
        [["a", 1], ["a", 2]],
    ),
    (
        "list of maps",
        pa.array([[[("a", UID.bytes)]]], pa.list_(pa.map_(pa.string(), pa.binary(16)))),
        [{"a": UID.bytes}],
    ),
]


@pytest.mark.parametrize(("array", "value"), [t[1:] for t in TYPES], ids=[t[0] for t in TYPES])
def test_values_are_exact_plain_python(tmp_path: Path, array: Any, value: Any) -> None:
    cell = value_of(tmp_path / "a.parquet", array)
    assert cell == value
    assert type(cell) is type(value)
    if isinstance(value, datetime):
        assert cell.tzinfo == value.tzinfo


@pytest.mark.parametrize("as_list", [False, True], ids=["column", "list"])
@pytest.mark.parametrize(
    ("numbers", "kind", "expected"),
    [
        ([2_932_897, -719_163], pa.date32(), ["10000-01-01", "0001-12-31 BC"]),
        (
            [253_402_300_800_000, 0],
            pa.timestamp("ms"),
            ["10000-01-01T00:00:00", datetime(1970, 1, 1)],
        ),
        (
            [253_402_300_800_000_001, None],
            pa.timestamp("us", "UTC"),
            ["10000-01-01T00:00:00.000001+00:00", None],
        ),
        ([86_400_000_000, 1], pa.time64("us"), ["24:00:00", time(0, 0, 0, 1)]),
        # Cut to the earlier microsecond, also before 1970.
        (
            [-1, 1_999],
            pa.timestamp("ns"),
            [datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(1970, 1, 1, 0, 0, 0, 1)],
        ),
        ([-1, 1_999], pa.duration("ns"), [timedelta(microseconds=-1), timedelta(microseconds=1)]),
    ],
)
def test_dates_and_times_beyond_pythons_are_exact_text(
    tmp_path: Path, numbers: list[Any], kind: Any, expected: list[Any], as_list: bool
) -> None:
    number = pa.int32() if kind.bit_width == 32 else pa.int64()
    column: Any = pa.array(numbers, number).view(kind)
    if as_list:
        column = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), column)
        expected = [[value] for value in expected]
    batches = read_all(written(tmp_path / "a.parquet", pa.table({"x": column})))
    assert [row["x"] for row in values(batches)] == expected
    assert spelled(replayed(batches)) == spelled(values(batches))
