from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sinks.objects.compaction import parquet

WIDE = pa.schema([("n", pa.int64())]).append(pa.field("x", pa.string()))


def written(path: Path, table: pa.Table, rows: int = 1_000) -> Path:
    pq.write_table(table, path, row_group_size=rows)
    return path


def opened(*paths: Path) -> Iterator[BinaryIO]:
    for path in paths:
        with path.open("rb") as file:
            yield file


@pytest.fixture
def objects(tmp_path: Path) -> list[Path]:
    """Two objects, the second one with a wider schema."""
    first = pa.table({"n": pa.array([1, 2], pa.int32())})
    second = pa.table({"n": [3], "x": ["a"]}, schema=WIDE)
    return [written(tmp_path / "a", first), written(tmp_path / "b", second)]


def test_all_rows_are_copied_in_order(objects: list[Path], tmp_path: Path) -> None:
    assert parquet.merge(opened(*objects), WIDE, tmp_path / "m", {}) == 3
    rows = pq.read_table(tmp_path / "m").to_pylist()
    assert rows == [{"n": 1, "x": None}, {"n": 2, "x": None}, {"n": 3, "x": "a"}]


def test_small_row_groups_become_a_large_one(tmp_path: Path) -> None:
    source = written(tmp_path / "a", pa.table({"n": list(range(100))}), rows=1)
    parquet.merge(opened(source, source), pa.schema([("n", pa.int64())]), tmp_path / "m", {})
    assert pq.ParquetFile(tmp_path / "m").num_row_groups == 1


def test_a_row_group_is_written_once_it_is_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 10)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 10 * 8)
    source = written(tmp_path / "a", pa.table({"n": list(range(100))}))
    parquet.merge(opened(source), pa.schema([("n", pa.int64())]), tmp_path / "m", {})
    assert pq.ParquetFile(tmp_path / "m").num_row_groups == 10


def test_large_rows_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "BATCH_BYTES", 1)
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    source = written(tmp_path / "a", pa.table({"n": [1, 2, 3]}))
    parquet.merge(opened(source), pa.schema([("n", pa.int64())]), tmp_path / "m", {})
    assert pq.ParquetFile(tmp_path / "m").num_row_groups == 3


def test_the_footer_says_schema_and_rows(objects: list[Path]) -> None:
    with objects[1].open("rb") as file:
        assert parquet.schema_of(file) == (WIDE, 1)


def test_a_damaged_object_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"PAR1 and no more")
    with pytest.raises(pa.ArrowException):
        parquet.merge(opened(tmp_path / "a"), WIDE, tmp_path / "m", {})


def test_an_object_without_rows_adds_none(tmp_path: Path) -> None:
    empty = written(tmp_path / "a", WIDE.empty_table())
    assert parquet.merge(opened(empty, empty), WIDE, tmp_path / "m", {}) == 0
    assert pq.read_table(tmp_path / "m").schema == WIDE


def test_the_object_says_what_it_was_told(objects: list[Path], tmp_path: Path) -> None:
    parquet.merge(opened(*objects), WIDE, tmp_path / "m", {"sluice.compacted": "2"})
    metadata = pq.ParquetFile(tmp_path / "m").metadata.metadata or {}
    assert metadata[b"sluice.compacted"] == b"2"


def test_a_row_group_has_a_bounded_number_of_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BATCH_ROWS", 10)
    monkeypatch.setattr(parquet, "GROUP_ROWS", 50)
    source = written(tmp_path / "a", pa.table({"n": list(range(100))}))
    parquet.merge(opened(source), pa.schema([("n", pa.int64())]), tmp_path / "m", {})
    assert pq.ParquetFile(tmp_path / "m").num_row_groups == 2
