from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files import FilesSource
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all, read_split
from transforms.record import Format, RecordBatch
from transforms.splits import BatchLimits


def written(path: Path, table: pa.Table, **options: Any) -> FilesSource:
    pq.write_table(table, path, **options)
    return FilesSource(str(path), limits=BatchLimits(records=3))


def values(batches: list[RecordBatch]) -> list[Any]:
    return [value for batch in batches for value in batch.values or ()]


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
    found = value_of(tmp_path / "a.parquet", array)
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, datetime):
        assert found.tzinfo == value.tzinfo


def test_raw_is_the_row_as_json_with_exact_numbers(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array([Decimal("1.10")], pa.decimal128(38, 2)),
            "t": pa.array([datetime(2026, 1, 2, tzinfo=UTC)], pa.timestamp("us", "UTC")),
            "b": pa.array([b"\xff"]),
            "f": pa.array([1.5]),
        }
    )
    (batch,) = read_all(written(tmp_path / "a.parquet", table))
    assert batch.raws == [b'{"n":1.10,"t":"2026-01-02T00:00:00Z","b":"/w==","f":1.5}']
    assert batch.format == Format("parquet")


def test_numbers_that_json_lacks_are_null_in_raw_and_kept_as_values(tmp_path: Path) -> None:
    (batch,) = read_all(written(tmp_path / "a.parquet", pa.table({"f": [math.inf, math.nan]})))
    assert [json.loads(raw) for raw in batch.raws] == [{"f": None}, {"f": None}]
    first, second = values([batch])
    assert first["f"] == math.inf
    assert math.isnan(second["f"])


def test_value_that_python_cannot_hold_fails_its_row_only(tmp_path: Path) -> None:
    table = pa.table({"t": pa.array([0, 2**60, 1], pa.timestamp("us")), "n": [1, 2, 3]})
    batches = read_all(written(tmp_path / "a.parquet", table))
    assert [value["n"] for value in values(batches)] == [1, 3]
    assert [offset for batch in batches for offset in batch.offsets] == [0, 2]
    (failure,) = failures(batches)
    assert (failure.origin.offset, failure.stage, failure.category) == (1, "read", "malformed")
    assert sum(batch.read for batch in batches) == 3


def numbers(n: int) -> pa.Table:
    return pa.table({"n": list(range(n)), "s": [f"row {i}" for i in range(n)]})


@pytest.mark.parametrize("group", [1, 4, 7, 100])
def test_positions_are_row_numbers_whatever_the_row_groups(tmp_path: Path, group: int) -> None:
    ledger = MemoryLedger()
    files = written(tmp_path / "a.parquet", numbers(20), row_group_size=group)
    batches = read_all(files, ledger)
    assert [value["n"] for value in values(batches)] == list(range(20))
    assert [offset for batch in batches for offset in batch.offsets] == list(range(20))
    assert all(len(batch.raws) <= 3 for batch in batches)
    (coverage,) = ledger.known.values()
    assert (coverage.ranges, coverage.end) == (((0, 20),), 20)


@pytest.mark.parametrize("group", [1, 4, 100])
@pytest.mark.parametrize("at", [0, 1, 4, 6, 19, 20])
def test_reading_on_at_a_row(tmp_path: Path, group: int, at: int) -> None:
    files = written(tmp_path / "a.parquet", numbers(20), row_group_size=group)
    (split,) = files.splits(MemoryLedger())
    batches = read_split(files, split, at=at)
    assert [value["n"] for value in values(batches)] == list(range(at, 20))
    assert (batches[0].span.start, batches[-1].span.end) == (at, 20)
    assert batches[-1].span.final


def test_no_rows_is_one_final_batch(tmp_path: Path) -> None:
    (batch,) = read_all(written(tmp_path / "a.parquet", numbers(0)))
    assert (batch.span.start, batch.span.end, batch.span.final, batch.read) == (0, 0, True, 0)


def test_wide_rows_come_in_small_batches(tmp_path: Path) -> None:
    # One value, repeated: small when stored, large when read.
    table = pa.table({"s": ["x" * 100_000] * 300})
    pq.write_table(table, tmp_path / "a.parquet")
    files = FilesSource(str(tmp_path / "a.parquet"), limits=BatchLimits(bytes=1_000_000))
    batches = read_all(files)
    assert sum(len(batch.raws) for batch in batches) == 300
    assert max(sum(map(len, batch.raws)) for batch in batches) <= 1_000_000


def test_rows_that_turn_out_wide_are_decoded_in_smaller_steps(tmp_path: Path) -> None:
    table = pa.table({"s": ["x" * 100_000] * 6_000})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3_000)
    files = FilesSource(
        str(tmp_path / "a.parquet"), limits=BatchLimits(records=100, bytes=1_000_000)
    )
    (split,) = files.splits(MemoryLedger())
    reader = files.open(split, (), MemoryLedger())
    assert sum(len(batch.raws) for batch in reader.poll(5).batches) == 100
    assert 1 <= sum(len(batch.raws) for batch in reader.poll(5).batches) <= 10
    reader.close()


def test_what_is_no_parquet_is_one_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no parquet at all")
    ledger = MemoryLedger()
    files = FilesSource(str(path))
    (failure,) = failures(read_all(files, ledger))
    assert (failure.category, failure.stage) == ("object_corrupt", "read")
    assert path.name in failure.message
    assert list(files.splits(ledger)) == []


def test_damage_leaves_the_row_groups_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = written(path, numbers(2_000), row_group_size=500, compression="gzip")
    group = pq.read_metadata(path).row_group(2).column(0)
    data = bytearray(path.read_bytes())
    start = group.dictionary_page_offset or group.data_page_offset
    data[start : start + 200] = bytes(200)
    path.write_bytes(bytes(data))
    ledger = MemoryLedger()
    batches = read_all(files, ledger)
    found = [value["n"] for value in values(batches)]
    assert found == list(range(len(found)))
    assert 990 <= len(found) <= 1_000
    (failure,) = failures(batches)
    assert failure.origin.offset == len(found)
    assert (batches[-1].span.end, batches[-1].span.final) == (2_000, True)


def test_changed_object_fails_and_is_no_mixture(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = written(path, numbers(10))
    (split,) = files.splits(MemoryLedger())
    written(path, numbers(11))
    batches = read_split(files, split)
    assert raws(batches) == []
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("object_changed", "ObjectFailed")
