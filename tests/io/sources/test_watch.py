from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings
from sources.files import FilesSource
from sources.objects import StoredObject
from sources.watch import Watched, WatchReader
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from transforms import drain
from transforms.backoff import Backoff
from transforms.errors import SourceUnavailable
from transforms.record import RecordBatch
from transforms.splits import BatchLimits, Reader, Split


def opened(files: FilesSource, ledger: MemoryLedger) -> Reader:
    (split,) = files.splits(ledger)
    assert split == Split(files.uri, files.uri)
    return files.open(split, (), ledger)


def until(reader: Reader, enough: Callable[[list[RecordBatch]], bool]) -> list[RecordBatch]:
    """Batches of ``reader`` until there are enough; fails after ten seconds."""
    batches: list[RecordBatch] = []
    deadline = time.monotonic() + 10
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
        (tmp_path / f"{name}.jsonl").write_bytes(name.encode())
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


def test_poll_waits_no_longer_than_its_time_out(files: FilesSource, ledger: MemoryLedger) -> None:
    reader = opened(files, ledger)
    started = time.monotonic()
    polled = reader.poll(0.1)
    assert 0.09 <= time.monotonic() - started < 1.0
    assert (polled.batches, polled.done) == ((), False)
    reader.close()


def test_drain_wakes_a_waiting_poll(tmp_path: Path, ledger: MemoryLedger) -> None:
    reader = opened(FilesSource(f"{tmp_path}/*.jsonl", watch=True), ledger)
    reader.poll(0.1)
    drain.request()
    try:
        started = time.monotonic()
        reader.poll(30)
        assert time.monotonic() - started < 5
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
    started = time.monotonic()
    assert not reader.poll(0.1).batches
    assert time.monotonic() - started < 1
    gate.touch()
    assert raws(until(reader, records(1))) == [b"1"]
    reader.close()
