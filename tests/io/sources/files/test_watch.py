from __future__ import annotations

import bz2
import gzip
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings
from sources.files.source import FilesSource
from sources.files.watch import Watched, WatchReader
from sources.storage.objects import StoredObject
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from transforms.batch.backoff import Backoff
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Reader, Split
from transforms.errors import SourceUnavailable
from transforms.read import drain


def opened(files: FilesSource, ledger: MemoryLedger) -> Reader:
    (split,) = files.splits(ledger)
    assert split == Split(files.uri, files.uri)
    return files.open(split, (), ledger)


def until(reader: Reader, enough: Callable[[list[RecordBatch]], bool]) -> list[RecordBatch]:
    """Batches of ``reader`` until there are enough; fails after a minute."""
    batches: list[RecordBatch] = []
    deadline = time.monotonic() + 60
    while not enough(batches):
        assert time.monotonic() < deadline, f"only {raws(batches)} came"
        polled = reader.poll(0.1)
        assert not polled.done
        batches += polled.batches
    return batches


def records(n: int) -> Callable[[list[RecordBatch]], bool]:
    return lambda batches: sum(batch.read for batch in batches) >= n


def nothing(reader: Reader, seconds: float = 0.3) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert not reader.poll(0.05).batches


@pytest.fixture
def files(tmp_path: Path) -> FilesSource:
    return FilesSource(f"{tmp_path}/*.jsonl", watch=True, poll_interval=0.05)


def test_new_objects_are_read_once(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    reader = opened(files, ledger)
    nothing(reader)
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    assert raws(until(reader, records(2))) == [b"1", b"2"]
    nothing(reader)
    (tmp_path / "b.jsonl").write_bytes(b"3\n")
    assert raws(until(reader, records(1))) == [b"3"]
    nothing(reader)
    reader.close()


def test_new_version_of_an_object_is_read(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    reader = opened(files, ledger)
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    (first,) = until(reader, records(1))
    (tmp_path / "a.jsonl").write_bytes(b"22\n")
    (second,) = until(reader, records(1))
    assert raws([first, second]) == [b"1", b"22"]
    assert first.span.source == second.span.source
    assert first.span.partition != second.span.partition
    assert (first.span.final, second.span.final) == (True, True)
    reader.close()


def test_what_the_ledger_has_is_not_read_again(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n3\n4\n")
    (tmp_path / "b.jsonl").write_bytes(b"5\n")
    bounded = FilesSource(files.uri, limits=BatchLimits(records=1))
    first, _, third, *_ = read_all(bounded)
    ledger.settle([first, third])
    reader = opened(files, ledger)
    assert raws(until(reader, records(3))) == [b"2", b"4", b"5"]
    nothing(reader)
    reader.close()


def test_position_counts_batches_and_the_ledger_says_where_to_read_on(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_bytes(name.encode() + b"\n")
    (split,) = files.splits(ledger)
    reader = files.open(split, (), ledger)
    polled = reader.poll(5)
    assert polled.position == (("", 1),)
    ledger.settle(polled.batches)
    reader.close()
    reader = files.open(split, polled.position, ledger)
    polled = reader.poll(5)
    assert (raws(polled.batches), polled.position) == ([b"b"], (("", 2),))
    reader.close()


def test_objects_that_are_gone_are_forgotten(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    reader = opened(files, ledger)
    assert isinstance(reader, WatchReader)
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    until(reader, records(1))
    (tmp_path / "a.jsonl").unlink()
    deadline = time.monotonic() + 10
    while reader._begun:
        assert time.monotonic() < deadline
        assert not reader.poll(0.05).batches
    reader.close()


def test_bad_object_does_not_end_the_watch(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05)
    (tmp_path / "a.csv").write_bytes(b"x,x\n")
    (tmp_path / "b.txt").write_bytes(b"?")
    (tmp_path / "c.jsonl").write_bytes(b"1\n")
    reader = opened(watching, ledger)
    batches = until(reader, records(3))
    assert [failure.category for failure in failures(batches)] == [
        "object_corrupt",
        "unknown_format",
    ]
    assert raws(batches) == [b"1"]
    nothing(reader)
    reader.close()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def age(path: Path) -> None:
    """Have the file look as if nobody had written to it for a day."""
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 86_400))


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_last_line_without_an_end_waits_and_is_read_once_it_has_one(
    tmp_path: Path, ledger: MemoryLedger, name: str
) -> None:
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=3600)
    path = tmp_path / name
    path.write_bytes(b"id,n\n1,1\n2,12" if name == "a.csv" else b"1\n12")
    reader = opened(watching, ledger)
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
    reader.close()
    ledger.settle([*first, *second, *third])
    size = path.stat().st_size
    covers = ledger.partitions(path.as_uri()).values()
    assert all(cover.complete for cover in covers)
    assert {cover.end for cover in covers} >= {size}


def test_each_version_of_a_growing_file_takes_over_what_was_settled(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n")
    reader = opened(files, ledger)
    seen = until(reader, records(1))
    for number in range(2, 6):
        append(path, b"%d\n" % number)
        seen += until(reader, records(1))
    assert raws(seen) == [b"1", b"2", b"3", b"4", b"5"]
    reader.close()
    ledger.settle(seen)
    # Another reader finds the last version settled.
    other = opened(files, ledger)
    nothing(other)
    append(path, b"6\n")
    assert raws(until(other, records(1))) == [b"6"]
    other.close()


def test_a_file_that_was_written_anew_is_read_whole(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2\n")
    reader = opened(files, ledger)
    until(reader, records(2))
    path.write_bytes(b"3\n4\n5\n")
    assert raws(until(reader, records(3))) == [b"3", b"4", b"5"]
    path.write_bytes(b"6\n")
    assert raws(until(reader, records(1))) == [b"6"]
    reader.close()


def test_a_last_line_without_an_end_is_a_record_once_the_file_has_rested(
    tmp_path: Path, ledger: MemoryLedger
) -> None:
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=3600)
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,n\n1,12")
    reader = opened(watching, ledger)
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
    reader.close()


def test_a_file_that_is_not_written_to_comes_to_rest_without_a_new_version(
    tmp_path: Path, ledger: MemoryLedger
) -> None:
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=0.6)
    (tmp_path / "a.jsonl").write_bytes(b"1\n2")
    reader = opened(watching, ledger)
    first = until(reader, records(1))
    assert raws(first) == [b"1"]
    second = until(reader, records(1))
    assert raws(second) == [b"2"]
    assert first[-1].span.partition == second[-1].span.partition
    assert second[-1].span.final
    nothing(reader)
    reader.close()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, zstandard.compress])
def test_compressed_data_that_ends_early_waits(
    tmp_path: Path, ledger: MemoryLedger, compress: Callable[[bytes], bytes]
) -> None:
    suffix = {gzip.compress: "gz", bz2.compress: "bz2"}.get(compress, "zst")
    whole = compress(b"1\n2\n" * 3)
    path = tmp_path / f"a.jsonl.{suffix}"
    path.write_bytes(whole[: len(whole) // 2])
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=3600)
    reader = opened(watching, ledger)
    early = [batch for _ in range(6) for batch in reader.poll(0.05).batches]
    append(path, whole[len(whole) // 2 :])
    late = until(reader, records(6 - len(raws(early))))
    assert raws([*early, *late]) == [b"1", b"2"] * 3
    assert failures([*early, *late]) == []
    path.write_bytes(whole[:-3])
    age(path)
    broken = until(reader, lambda batches: bool(failures(batches)))
    assert [failure.category for failure in failures(broken)] == ["object_corrupt"]
    reader.close()


def test_parquet_without_its_footer_waits(tmp_path: Path, ledger: MemoryLedger) -> None:
    whole = tmp_path / "whole"
    pq.write_table(pa.table({"n": [1, 2, 3]}), whole)
    data = whole.read_bytes()
    path = tmp_path / "a.parquet"
    path.write_bytes(data[:-20])
    watching = FilesSource(
        f"{tmp_path}/*.parquet", watch=True, poll_interval=0.05, rest_seconds=3600
    )
    reader = opened(watching, ledger)
    nothing(reader)
    append(path, data[-20:])
    batches = until(reader, records(3))
    assert [row["n"] for batch in batches for row in batch.values or ()] == [1, 2, 3]
    assert failures(batches) == []
    reader.close()


def test_a_file_that_vanishes_before_its_last_line_has_an_end_is_a_failure(
    tmp_path: Path, ledger: MemoryLedger
) -> None:
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=3600)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"1\n2")
    reader = opened(watching, ledger)
    assert raws(until(reader, records(1))) == [b"1"]
    path.unlink()
    (failure,) = failures(until(reader, records(1)))
    assert (failure.category, failure.origin.offset) == ("object_missing", 2)
    nothing(reader)
    reader.close()


def test_a_file_that_is_written_to_all_the_time_is_read_as_it_grows(
    tmp_path: Path, ledger: MemoryLedger
) -> None:
    watching = FilesSource(f"{tmp_path}/*", watch=True, poll_interval=0.05, rest_seconds=3600)
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
    reader = opened(watching, ledger)
    writer.start()
    seen = until(reader, records(3_000))
    writer.join()
    nothing(reader)
    assert raws(seen) == lines
    assert failures(seen) == []
    reader.close()


def test_poll_waits_no_longer_than_its_time_out(files: FilesSource, ledger: MemoryLedger) -> None:
    reader = opened(files, ledger)
    over = threading.Event()
    timer = threading.Timer(0.5, over.set)
    timer.start()
    polls = 0
    while not over.is_set():
        polled = reader.poll(0.1)
        assert (polled.batches, polled.done) == ((), False)
        polls += 1
    timer.join()
    assert polls < 20, "thousands, if it did not wait at all"
    reader.close()


def test_drain_wakes_a_waiting_poll(tmp_path: Path, ledger: MemoryLedger) -> None:
    reader = opened(FilesSource(f"{tmp_path}/*.jsonl", watch=True), ledger)
    reader.poll(0.1)
    drain.request()
    try:
        reader.poll(3_600)  # were it to wait that long, the test would not end
    finally:
        drain.reset()
    reader.close()


def test_backlog_is_what_is_listed_and_not_read(
    tmp_path: Path, files: FilesSource, ledger: MemoryLedger
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_bytes(b"1\n" * 5)
    reader = opened(files, ledger)
    left = []
    for _ in range(3):
        until(reader, records(5))
        left.append(reader.backlog())
    assert left == [20, 10, 0]
    reader.close()


@pytest.mark.integration
def test_s3_new_objects_and_new_versions(
    s3: S3Client, s3_settings: S3Settings, bucket: str, ledger: MemoryLedger
) -> None:
    watching = FilesSource(f"s3://{bucket}/*.jsonl", s3=s3_settings, watch=True, poll_interval=0.1)
    watching.check()
    reader = opened(watching, ledger)
    nothing(reader)
    s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"1\n")
    assert raws(until(reader, records(1))) == [b"1"]
    s3.put_object(Bucket=bucket, Key="b.jsonl", Body=b"2\n")
    assert raws(until(reader, records(1))) == [b"2"]
    s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"3\n")
    assert raws(until(reader, records(1))) == [b"3"]
    nothing(reader, 0.5)
    reader.close()


class Outage:
    """A listing that fails a number of times, and a clock that waiting moves."""

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.tries: list[float] = []
        self.now = 0.0

    def list(self) -> Iterator[StoredObject]:
        self.tries.append(self.now)
        if len(self.tries) <= self.faults:
            raise SourceUnavailable("S3 is away")
        yield from ()

    def clock(self) -> float:
        self.now += 0.01  # so that a loop without a pause ends too
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def reader(self, monkeypatch: pytest.MonkeyPatch, budget: float) -> WatchReader:
        monkeypatch.setattr(drain, "wait", self.wait)
        watched = Watched(
            list=self.list,
            splits=lambda stored, coverage: iter(()),
            open=lambda split: pytest.fail("there is nothing to open"),
            ledger=MemoryLedger(),
            interval=1_000.0,
            outage_budget=budget,
            backoff=Backoff(base=1.0, cap=8.0),
        )
        return WatchReader(watched, clock=self.clock)


def test_outage_is_waited_out_with_backoff_within_each_poll_s_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outage = Outage(faults=6)
    reader = outage.reader(monkeypatch, budget=300)
    while len(outage.tries) < 7:
        before = outage.now
        assert not reader.poll(0.5).batches
        assert outage.now - before < 1.0
        assert outage.now < 300
    pauses = [b - a for a, b in zip(outage.tries, outage.tries[1:], strict=False)]
    for pause, ceiling in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 <= pause <= ceiling + 1


def test_outage_longer_than_the_budget_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Outage(faults=1_000)
    reader = outage.reader(monkeypatch, budget=20)
    while outage.now < 19:
        assert not reader.poll(0.5).batches
    with pytest.raises(SourceUnavailable, match="S3 is away"):
        reader.poll(20)
    assert 20 <= outage.now < 40


def test_slow_listing_does_not_hold_a_poll(tmp_path: Path, ledger: MemoryLedger) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    bounded = FilesSource(f"{tmp_path}/*.jsonl")
    gate = Path(tmp_path / "gate")

    def slow() -> Iterator[StoredObject]:
        while not gate.exists():
            time.sleep(0.01)
        yield from bounded.storage.list(bounded.uri)

    watched = Watched(
        list=slow,
        splits=lambda stored, coverage: iter([Split("w", stored.uri, stored.version, stored.size)]),
        open=lambda split: bounded.open(split, (), ledger),
        ledger=ledger,
        interval=0.05,
        outage_budget=10,
    )
    reader = WatchReader(watched)
    assert not reader.poll(0.1).batches  # the listing goes on only after it has returned
    gate.touch()
    assert raws(until(reader, records(1))) == [b"1"]
    reader.close()
