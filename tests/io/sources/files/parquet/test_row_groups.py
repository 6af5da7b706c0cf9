"""A row group that cannot be read is one failure, and all others are read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.source import FilesSource
from tests.io.sources.files.parquet.writing import values, written
from tests.io.sources.reading import MemoryLedger, failures, read_all, read_split
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits

GROUP = 500


def damaged(path: Path, *, group: int, column: int, at: int = 0, by: int = 200) -> FilesSource:
    """A file of four row groups, with zeros in one column of one of them."""
    table = pa.table(
        {"n": list(range(4 * GROUP)), "s": [f"row {i}" * 20 for i in range(4 * GROUP)]}
    )
    source = written(path, table, row_group_size=GROUP, compression="gzip")
    chunk = pq.read_metadata(path).row_group(group).column(column)
    data = bytearray(path.read_bytes())
    start = (chunk.dictionary_page_offset or chunk.data_page_offset) + at
    data[start : start + by] = bytes(by)
    path.write_bytes(bytes(data))
    return source


def numbers(batches: list[RecordBatch]) -> list[int]:
    return [value["n"] for value in values(batches)]


@pytest.mark.parametrize("group", [0, 2, 3])
@pytest.mark.parametrize(("column", "name"), [(0, "n"), (1, "s")])
def test_a_damaged_row_group_is_one_failure_and_the_others_are_read(
    tmp_path: Path, group: int, column: int, name: str
) -> None:
    files = damaged(tmp_path / "a.parquet", group=group, column=column)
    ledger = MemoryLedger()
    batches = read_all(files, ledger)
    (failure,) = failures(batches)
    assert (failure.stage, failure.category) == ("read", "object_corrupt")
    assert f"row group {group} cannot be read from row {failure.origin.offset:,}" in failure.message
    assert f"column {name!r}" in failure.message
    lost = range(failure.origin.offset, (group + 1) * GROUP)
    assert numbers(batches) == [n for n in range(4 * GROUP) if n not in lost]
    (coverage,) = ledger.coverages.values()
    assert (coverage.ranges, coverage.end) == (((0, 4 * GROUP),), 4 * GROUP)
    assert list(files.splits(ledger)) == []


def test_two_damaged_row_groups_are_two_failures(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    files = damaged(path, group=0, column=0)
    good = path.read_bytes()
    damaged(path, group=3, column=1)
    both = bytes(min(a, b) for a, b in zip(good, path.read_bytes(), strict=True))
    path.write_bytes(both)
    files = FilesSource(str(path))
    batches = read_all(files)
    assert [failure.category for failure in failures(batches)] == ["object_corrupt"] * 2
    assert set(numbers(batches)) >= set(range(GROUP, 3 * GROUP))


def test_reading_can_begin_after_a_damaged_row_group(tmp_path: Path) -> None:
    files = damaged(tmp_path / "a.parquet", group=1, column=0)
    (split,) = files.splits(MemoryLedger())
    batches = read_split(files, split, at=2 * GROUP)
    assert numbers(batches) == list(range(2 * GROUP, 4 * GROUP))
    assert not failures(batches)


@pytest.mark.parametrize("kept", [4, 8, 12, 100, -100, -1])
def test_a_truncated_object_is_one_failure_and_the_next_one_is_read(
    tmp_path: Path, kept: int
) -> None:
    written(tmp_path / "a.parquet", pa.table({"n": list(range(5_000))}))
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[:kept])
    written(tmp_path / "b.parquet", pa.table({"n": [7]}))
    batches = read_all(FilesSource(f"{tmp_path}/*.parquet"))
    assert numbers(batches) == [7]
    (failure,) = failures(batches)
    assert failure.category == "object_corrupt"
    assert "a.parquet" in failure.message


@pytest.mark.slow
def test_whatever_byte_of_the_footer_is_wrong_nothing_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    written(path, pa.table({"n": [1, 2, 3], "s": ["a", None, "c"]}), store_schema=False)
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    ledgers = []
    for at in range(start, len(data), 2):
        for value in (0, 0x7F, 0xFF):
            path.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
            ledger = MemoryLedger()
            read_all(FilesSource(str(path)), ledger)
            ledgers.append(ledger)
    assert all(each.coverages for each in ledgers)
    ends = [coverage.end for each in ledgers for coverage in each.coverages.values()]
    assert all(end is not None and 0 <= end < 1 << 62 for end in ends)


def test_small_row_groups_are_read_together(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"n": list(range(1_000))}), path, row_group_size=10)
    batches = read_all(FilesSource(str(path), limits=BatchLimits(records=400)))
    assert [len(batch.raws) for batch in batches] == [400, 400, 200]
