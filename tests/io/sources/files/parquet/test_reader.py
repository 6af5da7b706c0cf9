from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.source import FilesSource
from tests.io.sources.files.parquet.writing import values, written
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all, read_split
from transforms.batch.splits import BatchLimits


@pytest.mark.parametrize("nested", [False, True], ids=["column", "nested"])
def test_int96_dates_are_read_whatever_their_year(tmp_path: Path, nested: bool) -> None:
    dates = [datetime(9999, 12, 31, 23, 59, 59, 999_999), datetime(1, 1, 1), datetime(1677, 9, 21)]
    column: Any = pa.array(dates, pa.timestamp("us"))
    expected: list[Any] = dates
    if nested:
        column = pa.array([[{"t": each}] for each in dates])
        expected = [[{"t": each}] for each in dates]
    source = written(
        tmp_path / "a.parquet", pa.table({"t": column}), use_deprecated_int96_timestamps=True
    )
    assert "int96" in str(pq.ParquetFile(tmp_path / "a.parquet").schema)
    assert [row["t"] for row in values(read_all(source))] == expected


def test_int96_nanoseconds_are_cut_as_those_of_timestamps_are(tmp_path: Path) -> None:
    column = pa.array([1_999, -1, -1_000, -1_001], pa.timestamp("ns"))
    table = pa.table({"t": column})
    plain = values(read_all(written(tmp_path / "a.parquet", table)))
    int96 = values(
        read_all(written(tmp_path / "b.parquet", table, use_deprecated_int96_timestamps=True))
    )
    assert int96 == plain


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
    (coverage,) = ledger.coverages.values()
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


@pytest.mark.slow
def test_rows_that_turn_out_wide_are_decoded_in_smaller_steps(tmp_path: Path) -> None:
    table = pa.table({"s": ["x" * 100_000] * 6_000})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=3_000)
    files = FilesSource(
        str(tmp_path / "a.parquet"), limits=BatchLimits(records=100, bytes=1_000_000)
    )
    (split,) = files.splits(MemoryLedger())
    reader = files.open(split, (), MemoryLedger())
    for _ in range(15):
        assert 1 <= sum(len(batch.raws) for batch in reader.poll(5).batches) <= 10
    reader.close()


def test_what_is_not_parquet_is_one_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"no parquet at all")
    ledger = MemoryLedger()
    files = FilesSource(str(path))
    (failure,) = failures(read_all(files, ledger))
    assert (failure.category, failure.stage) == ("object_corrupt", "read")
    assert path.name in failure.message
    assert list(files.splits(ledger)) == []


def test_damage_leaves_the_other_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = written(path, numbers(2_000), row_group_size=500, compression="gzip")
    group = pq.read_metadata(path).row_group(2).column(0)
    data = bytearray(path.read_bytes())
    start = group.dictionary_page_offset or group.data_page_offset
    data[start : start + 200] = bytes(200)
    path.write_bytes(bytes(data))
    ledger = MemoryLedger()
    batches = read_all(files, ledger)
    read = [value["n"] for value in values(batches)]
    (failure,) = failures(batches)
    lost = range(failure.origin.offset, 1_500)
    assert 990 <= lost.start <= 1_000
    assert read == [n for n in range(2_000) if n not in lost]
    assert (batches[-1].span.end, batches[-1].span.final) == (2_000, True)


def test_changed_object_fails_and_is_not_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = written(path, numbers(10))
    (split,) = files.splits(MemoryLedger())
    written(path, numbers(11))
    batches = read_split(files, split)
    assert raws(batches) == []
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("object_changed", "ObjectFailed")
