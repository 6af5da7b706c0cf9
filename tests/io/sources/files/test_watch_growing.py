"""Files that are written to while they are watched."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from sources.files.source import FilesSource
from tests.io.sources.files.watching import Watch, nothing, opened, records, until
from tests.io.sources.reading import MemoryLedger, failures, raws

NEVER = 3_600.0
"""Seconds of rest that no test waits for."""


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def age(path: Path) -> None:
    """Have the file look as if nobody had written to it for a day."""
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 86_400))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_last_line_without_an_end_waits_and_is_read_once_it_has_one(
    tmp_path: Path, watch: Watch, ledger: MemoryLedger, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"id,n\n1,1\n2,12" if name == "a.csv" else b"1\n12")
    reader = watch(rest_seconds=NEVER)
    first = until(reader, records(1))
    nothing(reader)
    append(path, b"345\n3,")
    second = until(reader, records(1))
    append(path, b"7\n")
    third = until(reader, records(1))
    if name == "a.csv":
        assert [raws(each) for each in (first, second, third)] == [[b"1,1"], [b"2,12345"], [b"3,7"]]
    else:
        assert [raws(each) for each in (first, second, third)] == [[b"1"], [b"12345"], [b"3,7"]]
    nothing(reader)
    ledger.settle([*first, *second, *third])
    size = path.stat().st_size
    covers = ledger.partitions(path.as_uri()).values()
    assert all(cover.complete for cover in covers)
    assert {cover.end for cover in covers} >= {size}


def test_each_version_of_a_growing_file_takes_over_what_was_settled(
    tmp_path: Path, watch: Watch, ledger: MemoryLedger
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    reader = watch()
    seen = until(reader, records(1))
    for number in range(2, 6):
        append(path, b"%d\n" % number)
        seen += until(reader, records(1))
    assert raws(seen) == [b"1", b"2", b"3", b"4", b"5"]
    ledger.settle(seen)
    # Another reader finds the last version settled.
    other = watch()
    nothing(other)
    append(path, b"6\n")
    assert raws(until(other, records(1))) == [b"6"]


def test_a_file_that_was_written_anew_is_read_whole(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n")
    reader = watch()
    until(reader, records(2))
    path.write_bytes(b"3\n4\n5\n")
    assert raws(until(reader, records(3))) == [b"3", b"4", b"5"]
    path.write_bytes(b"6\n")
    assert raws(until(reader, records(1))) == [b"6"]


def test_a_last_line_without_an_end_is_a_record_once_the_file_has_rested(
    tmp_path: Path, watch: Watch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,n\n1,12")
    reader = watch(rest_seconds=NEVER)
    header = until(reader, lambda batches: bool(batches))
    assert raws(header) == []
    assert not header[-1].span.final
    nothing(reader)
    age(path)
    batches = until(reader, records(1))
    assert raws(batches) == [b"1,12"]
    assert batches[-1].span.final
    append(path, b"345\n")
    assert raws(until(reader, records(1))) == [b"1,12345"]


def test_a_file_that_is_not_written_to_comes_to_rest_without_a_new_version(
    tmp_path: Path, watch: Watch
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n2")
    reader = watch(rest_seconds=0.6)
    first = until(reader, records(1))
    assert raws(first) == [b"1"]
    second = until(reader, records(1))
    assert raws(second) == [b"2"]
    assert first[-1].span.partition == second[-1].span.partition
    assert second[-1].span.final
    nothing(reader)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, zstandard.compress])
def test_compressed_data_that_ends_early_waits(
    tmp_path: Path, watch: Watch, compress: Callable[[bytes], bytes]
) -> None:
    suffix = {gzip.compress: "gz", bz2.compress: "bz2"}.get(compress, "zst")
    whole = compress(b"1\n2\n" * 3)
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    reader = watch(rest_seconds=NEVER)
    early = [batch for _ in range(6) for batch in reader.poll(0.05).batches]
    append(path, whole[len(whole) // 2 :])
    late = until(reader, records(6 - len(raws(early))))
    assert raws([*early, *late]) == [b"1", b"2"] * 3
    assert failures([*early, *late]) == []
    path.write_bytes(whole[:-3])
    age(path)
    broken = until(reader, lambda batches: bool(failures(batches)))
    assert [failure.category for failure in failures(broken)] == ["object_corrupt"]


def test_parquet_without_its_footer_waits(tmp_path: Path, watch: Watch) -> None:
    whole = tmp_path / "whole"
    pq.write_table(pa.table({"n": [1, 2, 3]}), whole)
    data = whole.read_bytes()
    path = tmp_path / "a.parquet"
    path.write_bytes(data[:-20])
    reader = watch("*.parquet", rest_seconds=NEVER)
    nothing(reader)
    append(path, data[-20:])
    batches = until(reader, records(3))
    assert [row["n"] for batch in batches for row in batch.values or ()] == [1, 2, 3]
    assert failures(batches) == []


def test_a_file_that_vanishes_before_its_last_line_has_an_end_is_a_failure(
    tmp_path: Path, watch: Watch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2")
    reader = watch(rest_seconds=NEVER)
    assert raws(until(reader, records(1))) == [b"1"]
    path.unlink()
    (failure,) = failures(until(reader, records(1)))
    assert (failure.category, failure.origin.offset) == ("object_missing", 2)
    nothing(reader)


def test_a_file_that_is_written_to_all_the_time_is_read_as_it_grows(
    tmp_path: Path, watch: Watch
) -> None:
    path = tmp_path / "a.jsonl"
    lines = [b'{"n": %d, "text": "%s"}' % (n, b"x" * (n % 50)) for n in range(3_000)]
    data = b"".join(line + b"\n" for line in lines)

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for at in range(0, len(data), 997):
                file.write(data[at : at + 997])
                time.sleep(0.002)

    path.touch()
    writer = threading.Thread(target=write)
    reader = watch(rest_seconds=NEVER)
    writer.start()
    seen = until(reader, records(3_000))
    writer.join()
    nothing(reader)
    assert raws(seen) == lines
    assert failures(seen) == []


def test_an_avro_file_that_grows_is_read_on_by_whole_blocks(tmp_path: Path) -> None:
    schema = {"type": "record", "name": "r", "fields": [{"name": "n", "type": "long"}]}
    stored = io.BytesIO()
    fastavro.writer(stored, schema, [{"n": n} for n in range(60)], sync_interval=20)
    data = stored.getvalue()
    path = tmp_path / "a.avro"
    path.write_bytes(data[:170])
    ledger = MemoryLedger()
    files = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=60)
    reader = opened(files, ledger)
    begun = until(reader, records(1))
    with path.open("ab") as file:
        file.write(data[170:])
    batches = [*begun, *until(reader, lambda more: sum(b.read for b in [*begun, *more]) >= 60)]
    nothing(reader)
    reader.close()
    values = [value["n"] for batch in batches for value in batch.values or ()]
    assert values == list(range(60))
    assert not any(batch.failures for batch in batches)
