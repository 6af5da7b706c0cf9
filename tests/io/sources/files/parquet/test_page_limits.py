"""What does not fit in memory, at a small scale: the bounds are set to kilobytes."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.files.parquet import long_values, page_limits
from sources.files.parquet.page_limits import longest_of
from sources.files.source import FilesSource
from tests.io.sources.files.parquet.writing import values
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.splits import BatchLimits

LIMIT = 100_000
LONG = 3_000_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_limits, "USUAL_PAGE", 50_000)
    monkeypatch.setattr(page_limits, "LARGE_PAGE", 400_000)
    monkeypatch.setattr(page_limits, "MOST_BEYOND", 2_500_000)
    monkeypatch.setattr(page_limits, "MOST_EXPANDED", 500_000)
    monkeypatch.setattr(page_limits, "MOST_PASSED", 500_000)
    monkeypatch.setattr(page_limits, "MOST_IN_ROW", 2_000_000)
    monkeypatch.setattr(long_values, "MOST_KEPT", 2_000_000)


def read(path: Path, **options: Any) -> list[RecordBatch]:
    limits = BatchLimits(bytes=300_000)
    return read_all(FilesSource(str(path), limits=limits, max_record_bytes=LIMIT, **options))


def one_long(value: Any, others: Any) -> pa.Table:
    return pa.table({"id": range(5), "s": [others[0], others[1], value, others[2], None]})


def check_one_cut(batches: list[RecordBatch], length: int, digest: str) -> Failure:
    assert [row["id"] for row in values(batches)] == [0, 1, 3, 4]
    (failure,) = failures(batches)
    assert (failure.stage, failure.category, failure.exception) == (
        "read",
        "too_large",
        "RecordTooLarge",
    )
    assert failure.origin.offset == 2
    assert len(failure.raw) == 65_536
    assert failure.raw.startswith(b'[{"id":2,"s":"')
    assert f"column 's' has {length:,} bytes with the sha256 {digest}" in failure.message
    assert f"limit {LIMIT:,}" in failure.message
    return failure


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False], ids=["dictionary", "plain"])
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.usefixtures("small")
def test_a_value_that_does_not_fit_in_memory_is_cut_and_its_neighbours_are_read(
    tmp_path: Path, codec: Any, dictionary: bool, version: Any
) -> None:
    text = "".join(map(str, range(600_000)))[:LONG]
    path = tmp_path / "a.parquet"
    pq.write_table(
        one_long(text, ["a", "bb", "ä"]),
        path,
        compression=codec,
        use_dictionary=dictionary,
        data_page_version=version,
    )
    batches = read(path)
    check_one_cut(batches, LONG, sha256(text.encode()).hexdigest())
    assert [row["s"] for row in values(batches)] == ["a", "bb", "ä", None]


@pytest.mark.parametrize("length", [LIMIT + 1, LONG])
def test_a_value_over_the_limit_is_cut_whether_it_fits_in_memory_or_not(
    tmp_path: Path, length: int
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(one_long(b"\xff" * length, [b"a", b"b", b"c"]), path)
    check_one_cut(read(path), length, sha256(b"\xff" * length).hexdigest())


def test_the_hash_of_a_long_list_is_that_of_its_json(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    numbers = list(range(50_000))
    pq.write_table(one_long(numbers, [[1], [], [2, 3]]), path)
    text = ("[" + ",".join(map(str, numbers)) + "]").encode()
    check_one_cut(read(path), len(text), sha256(text).hexdigest())


@pytest.mark.usefixtures("small")
def test_a_long_value_within_a_list_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    text = "x" * LONG
    pq.write_table(one_long(["a", text], [["b"], [], ["c", None]]), path)
    batches = read(path)
    check_one_cut(batches, LONG, sha256(text.encode()).hexdigest())
    assert [row["s"] for row in values(batches)] == [["b"], [], ["c", None], None]


@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("typed", [True, False], ids=["dictionary", "text"])
def test_a_dictionary_with_long_entries_is_never_expanded(
    tmp_path: Path, store_schema: bool, nested: bool, typed: bool
) -> None:
    path = tmp_path / "a.parquet"
    text = "x" * 90_000
    column: Any = pa.array([text] * 900)
    if nested:
        column = pa.array([[text]] * 900)
    elif typed:
        column = column.dictionary_encode()
    pq.write_table(pa.table({"id": range(900), "s": column}), path, store_schema=store_schema)
    source = FilesSource(str(path), limits=BatchLimits(bytes=1_000_000))
    (split,) = source.splits(MemoryLedger())
    reader = source.open(split, (), MemoryLedger())
    count, most, before = 0, 0, pa.total_allocated_bytes()
    done = False
    while not done:
        polled = reader.poll(1.0)
        done = polled.done
        most = max(most, pa.total_allocated_bytes() - before)
        for batch in polled.batches:
            assert sum(map(len, batch.raws)) <= 1_000_000
            assert not batch.failures
            count += len(batch.raws)
    reader.close()
    assert count == 900
    assert most < 20_000_000, "of 81 MB"


@pytest.mark.usefixtures("small")
def test_rows_that_get_long_in_the_middle_are_read_in_smaller_steps(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = ["a"] * 3_000 + [f"{i}" * 9_000 for i in range(100)] + ["b"] * 3_000
    pq.write_table(
        pa.table({"s": texts}),
        path,
        use_dictionary=False,
        data_page_size=10_000,
        compression="zstd",
    )
    batches = read(path)
    assert [row["s"] for row in values(batches)] == texts
    assert max(sum(map(len, batch.raws)) for batch in batches) <= 300_000


@pytest.mark.usefixtures("small")
def test_a_page_that_does_not_fit_in_memory_is_one_failure_for_the_rest_of_its_row_group(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.parquet"
    lists = [[1], list(range(500_000)), [2]]
    schema = pa.schema([("id", pa.int64()), ("s", pa.list_(pa.int64()))])
    with pq.ParquetWriter(path, schema, use_dictionary=False, compression="none") as writer:
        writer.write_table(pa.table({"id": [0, 1, 2], "s": lists}, schema))
        writer.write_table(pa.table({"id": [3], "s": [[4]]}, schema))
    batches = read(path)
    assert [row["id"] for row in values(batches)][-1] == 3
    (failure,) = failures(batches)
    assert (failure.category, failure.raw) == ("too_large", b"")
    assert "row group 0 cannot be read from row" in failure.message
    assert "column 's.list.element' has a page of 4,00" in failure.message


def test_a_row_of_many_short_values_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {f"c{i}": ["x" * 20_000, "y"] for i in range(10)}
    pq.write_table(pa.table(columns), path)
    batches = read(path)
    assert len(raws(batches)) == 1
    (failure,) = failures(batches)
    assert (failure.category, len(failure.raw)) == ("too_large", 65_536)


def test_a_row_that_is_small_enough_to_be_kept_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"s": ["x" * 2_000, "y"]}), path)
    batches = read_all(FilesSource(str(path), max_record_bytes=1_000))
    assert [row["s"] for row in values(batches)] == ["y"]
    (failure,) = failures(batches)
    assert (failure.category, failure.exception) == ("too_large", "Reject")
    assert failure.raw == b'[{"s":"%s"},{}]' % (b"x" * 2_000)


@pytest.mark.parametrize(
    "entries",
    [
        [b"x" * 36] * 3,
        [b"x" * 36, b"x" * 35],
        [b""] * 5,
        [b"", b"x"],
        [b"x" * 300, b"y" * 300],
        [b"\x04\0\0\0" * 2, b"", b"\x04\0\0\0"],
        [],
    ],
    ids=range(7),
)
def test_the_longest_entry_of_a_dictionary_is_the_longest_one(entries: list[bytes]) -> None:
    page = b"".join(len(entry).to_bytes(4, "little") + entry for entry in entries)
    assert longest_of(page) == max(map(len, entries), default=0)
