"""Parquet files whose footer contradicts itself about how many rows there are."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.source import FilesSource
from tests.io.sources.files.parquet.writing import values
from tests.io.sources.reading import MemoryLedger, failures, read_all, read_split
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits

ROWS = 20_000
GROUP = 5_000
FILE, VALUES, GROUP_ROWS = 0, 1, 2
"""Where, in the footer of a file of one column and one row group, a number of rows stands."""


def varint(number: int, width: int) -> bytes:
    """A number of Thrift's compact protocol (zigzag), in ``width`` bytes."""
    number = number << 1 if number >= 0 else (-number << 1) - 1
    parts = [(number >> (7 * i)) & 0x7F for i in range(width)]
    return bytes([*(part | 0x80 for part in parts[:-1]), parts[-1]])


def rewritten(path: Path, number: int, where: int, count: int) -> None:
    """Replace ``number`` in the footer by ``count``, at one of the places where it occurs."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    # Field headers of these numbers are all "the next field, an i64".
    mark = b"\x16" + varint(number, 3)
    at = start
    for _ in range(where + 1):
        at = data.index(mark, at) + 1
    path.write_bytes(data[:at] + varint(count, 3) + data[at + 3 :])


def ids(batches: list[RecordBatch]) -> list[int]:
    return [value["id"] for batch in batches for value in batch.values or ()]


def file_that_says(tmp_path: Path, where: int, count: int) -> Path:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": range(ROWS)}), path, store_schema=False, write_statistics=False)
    rewritten(path, ROWS, where, count)
    return path


@pytest.mark.parametrize("count", [0, 63, ROWS - 1, ROWS + 1, 1_000_000])
def test_the_rows_of_the_row_groups_are_read_whatever_the_footer_says(
    tmp_path: Path, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = file_that_says(tmp_path, FILE, count)
    assert pq.read_metadata(path).num_rows == count
    ledger = MemoryLedger()
    source = FilesSource(str(path), limits=BatchLimits(records=3_000))
    with caplog.at_level(logging.WARNING):
        batches = read_all(source, ledger)
    assert ids(batches) == list(range(ROWS))
    assert not failures(batches)
    (coverage,) = ledger.coverages.values()
    assert (coverage.ranges, coverage.end) == (((0, ROWS),), ROWS)
    assert list(source.splits(ledger)) == []
    assert f"{count} rows" in caplog.text


@pytest.mark.parametrize("at", [1, 63, 64, 19_999])
def test_reading_goes_on_at_a_row_beyond_the_footers_count(tmp_path: Path, at: int) -> None:
    source = FilesSource(str(file_that_says(tmp_path, FILE, 63)))
    (split,) = source.splits(MemoryLedger())
    batches = read_split(source, split, at=at)
    assert ids(batches) == list(range(at, ROWS))
    assert batches[-1].span.final


@pytest.mark.parametrize("where", [VALUES, GROUP_ROWS])
@pytest.mark.parametrize("count", [0, 63, ROWS + 1, -1])
def test_a_row_group_and_a_column_that_disagree_are_one_failure(
    tmp_path: Path, where: int, count: int
) -> None:
    path = file_that_says(tmp_path, where, count)
    ledger = MemoryLedger()
    batches = read_all(FilesSource(str(path)), ledger)
    assert ids(batches) == []
    (failure,) = failures(batches)
    assert (failure.category, failure.stage) == ("object_corrupt", "read")
    rows, cells = (ROWS, count) if where == VALUES else (count, ROWS)
    assert f"row group 0 has {rows:,} rows" in failure.message
    assert f"column 'id' has {cells:,} values" in failure.message


def test_a_list_column_may_have_more_values_than_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"id": [1, 2], "l": [[1, 2, 3], []], "m": [[], None]})
    pq.write_table(table, path)
    batches = read_all(FilesSource(str(path)))
    assert ids(batches) == [1, 2]
    assert not failures(batches)


def test_rows_without_a_row_group_are_one_failure_and_no_others_suffer(tmp_path: Path) -> None:
    with pq.ParquetWriter(tmp_path / "a.parquet", pa.schema([("id", pa.int64())])):
        pass  # no row group
    path = tmp_path / "a.parquet"
    data = path.read_bytes()
    assert pq.read_metadata(path).num_row_groups == 0
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    at = data.index(b"\x16\x00", start) + 1  # the footer's number of rows
    path.write_bytes(data[:at] + varint(1, 1) + data[at + 1 :])
    pq.write_table(pa.table({"id": [5]}), tmp_path / "b.parquet")
    batches = read_all(FilesSource(f"{tmp_path}/*.parquet"))
    assert ids(batches) == [5]
    (failure,) = failures(batches)
    assert failure.category == "object_corrupt"
    assert "no row group, but its footer says 1 rows" in failure.message


def element(name: str, repetition: int, fields: int) -> bytes:
    """A group of a schema, as writers put it down."""
    head = b"\x35" + varint(repetition, 1) + b"\x18" + bytes([len(name)]) + name.encode()
    return head + b"\x15" + varint(fields, 1) + b"\0"


def with_elements(path: Path, count: int, *changes: tuple[bytes, bytes]) -> None:
    """Give the schema of a file ``count`` elements, with parts of it replaced."""
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = bytearray(data[start:-8])
    footer[3] = count << 4 | 0x0C  # after the version and the head of the field
    for old, new in changes:
        assert footer.count(old) == 1
        footer = footer.replace(old, new)
    path.write_bytes(data[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1")


REQUIRED, OPTIONAL, REPEATED = 0, 1, 2


@pytest.mark.parametrize("repetition", [REQUIRED, OPTIONAL, REPEATED])
def test_beside_a_group_of_no_fields_the_other_columns_are_read(
    tmp_path: Path, repetition: int
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), path, store_schema=False)
    root = element("schema", REQUIRED, 2)
    groups = element("g", repetition, 1) + element("inner", OPTIONAL, 0)
    with_elements(path, 5, (root, element("schema", REQUIRED, 3) + groups))
    batches = read_all(FilesSource(str(path)))
    assert values(batches) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    assert not failures(batches)


@pytest.mark.parametrize("repetition", [REQUIRED, OPTIONAL])
def test_fields_beside_a_group_of_no_fields_are_read(tmp_path: Path, repetition: int) -> None:
    path = tmp_path / "a.parquet"
    rows: list[dict[str, Any]] = [{"s": {"x": 1}}, {"s": None}, {"s": {"x": 3}}]
    pq.write_table(pa.Table.from_pylist(rows), path, store_schema=False)
    grown = element("s", OPTIONAL, 2) + element("g", repetition, 0)
    with_elements(path, 4, (element("s", OPTIONAL, 1), grown))
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(path)
    batches = read_all(FilesSource(str(path)))
    assert values(batches) == rows
    assert not failures(batches)


COLUMNS: list[tuple[str, Any]] = [("id", pa.int32()), ("tags", pa.list_(pa.string()))]
SCHEMA = pa.schema(COLUMNS)


def write_empty(path: Path, schema: Any = SCHEMA) -> None:
    pq.write_table(schema.empty_table(), path)


def schema_of(folder: Path) -> Any:
    return FilesSource(f"{folder}/*").stored_schema()


def test_objects_that_share_a_schema_have_it(tmp_path: Path) -> None:
    write_empty(tmp_path / "a.parquet")
    write_empty(tmp_path / "b.parquet", SCHEMA.with_metadata({"writer": "another"}))
    schema = schema_of(tmp_path)
    assert schema.names == ["id", "tags"]
    assert schema.field("id").type == pa.int32()
    assert schema.field("tags").type.value_type == pa.string()


def test_objects_that_differ_have_none(tmp_path: Path) -> None:
    write_empty(tmp_path / "a.parquet")
    write_empty(tmp_path / "b.parquet", pa.schema([pa.field("id", pa.int64())]))
    assert schema_of(tmp_path) is None


def test_objects_of_another_format_have_none(tmp_path: Path) -> None:
    write_empty(tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_bytes(b"{}\n")
    assert schema_of(tmp_path) is None


def test_an_object_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no Parquet")
    assert schema_of(tmp_path) is None
    write_empty(tmp_path / "b.parquet")
    assert schema_of(tmp_path).names == ["id", "tags"]
