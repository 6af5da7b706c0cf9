from __future__ import annotations

import os
from pathlib import Path

import pytest
from mypy_boto3_s3 import S3Client

from clients.s3 import S3Settings
from sources.files.source import FilesSource
from tests.io.sources.files.watching import Watch, nothing, opened, records, until
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from transforms.background import in_background
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.read import drain


def test_new_objects_are_read_once(tmp_path: Path, watch: Watch) -> None:
    reader = watch()
    nothing(reader)
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n")
    assert raws(until(reader, records(2))) == [b"1", b"2"]
    nothing(reader)
    (tmp_path / "b.jsonl").write_bytes(b"3\n")
    assert raws(until(reader, records(1))) == [b"3"]
    nothing(reader)


def test_new_version_of_an_object_is_read(tmp_path: Path, watch: Watch) -> None:
    reader = watch()
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    (first,) = until(reader, records(1))
    (tmp_path / "a.jsonl").write_bytes(b"22\n")
    (second,) = until(reader, records(1))
    assert raws([first, second]) == [b"1", b"22"]
    assert first.span.source == second.span.source
    assert first.span.partition != second.span.partition
    assert (first.span.final, second.span.final) == (True, True)


def test_what_the_ledger_has_is_not_read_again(
    tmp_path: Path, watch: Watch, ledger: MemoryLedger
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n3\n4\n")
    (tmp_path / "b.jsonl").write_bytes(b"5\n")
    bounded = FilesSource(f"{tmp_path}/*.jsonl", limits=BatchLimits(records=1))
    first, _, third, *_ = read_all(bounded)
    ledger.settle([first, third])
    reader = watch()
    assert raws(until(reader, records(3))) == [b"2", b"4", b"5"]
    nothing(reader)


def test_position_counts_batches_and_the_ledger_says_where_to_read_on(
    tmp_path: Path, ledger: MemoryLedger
) -> None:
    files = FilesSource(f"{tmp_path}/*.jsonl", watch=True, poll_interval=0.05)
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


def test_objects_that_are_gone_are_forgotten(tmp_path: Path, watch: Watch) -> None:
    path = tmp_path / "a.jsonl"
    reader = watch()
    path.write_bytes(b"1\n")
    times = path.stat()
    until(reader, records(1))
    again: list[RecordBatch] = []
    for _ in range(100):
        # The same version comes back; it is new once a listing has been without it.
        path.unlink()
        again += reader.poll(0.1).batches
        path.write_bytes(b"1\n")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        again += reader.poll(0.1).batches
        if again:
            break
    assert raws(again) == [b"1"]


def test_bad_object_does_not_end_the_watch(tmp_path: Path, watch: Watch) -> None:
    (tmp_path / "a.csv").write_bytes(b"7,x\n")
    (tmp_path / "b.txt").write_bytes(b"?\n")
    (tmp_path / "c.jsonl").write_bytes(b"1\n")
    reader = watch()
    batches = until(reader, records(2))
    assert [failure.category for failure in failures(batches)] == ["unknown_format"]
    assert raws(batches) == [b"1"]
    nothing(reader)


def test_a_poll_without_news_ends_at_its_time_out(watch: Watch) -> None:
    reader = watch()
    polled = in_background(lambda: reader.poll(0.1), "poll").result(30)
    assert (polled.batches, polled.done) == ((), False)


def test_drain_wakes_a_waiting_poll(watch: Watch) -> None:
    reader = watch()
    reader.poll(0.1)
    drain.request()
    try:
        polled = in_background(lambda: reader.poll(3_600), "poll").result(30)
    finally:
        drain.reset()
    assert not polled.batches


def test_backlog_is_what_is_listed_and_not_read(tmp_path: Path, watch: Watch) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_bytes(b"1\n" * 5)
    reader = watch()
    left = []
    for _ in range(3):
        until(reader, records(5))
        left.append(reader.backlog())
    assert left == [20, 10, 0]


@pytest.mark.integration
def test_s3_new_objects_and_new_versions(
    s3: S3Client, s3_settings: S3Settings, bucket: str, ledger: MemoryLedger
) -> None:
    files = FilesSource(f"s3://{bucket}/*.jsonl", s3=s3_settings, watch=True, poll_interval=0.1)
    files.check()
    reader = opened(files, ledger)
    nothing(reader)
    s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"1\n")
    assert raws(until(reader, records(1))) == [b"1"]
    s3.put_object(Bucket=bucket, Key="b.jsonl", Body=b"2\n")
    assert raws(until(reader, records(1))) == [b"2"]
    s3.put_object(Bucket=bucket, Key="a.jsonl", Body=b"3\n")
    assert raws(until(reader, records(1))) == [b"3"]
    nothing(reader, 0.5)
    reader.close()
