"""What a run that ends makes of the end of a file that may still be being written."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, failures, raws, read_all
from transforms import notes
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits, Reader

LONG_AGO = time.time() - 3600
LINES = b'{"n": 1}\n{"n": 2}\n'


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    notes.reset()
    yield
    notes.reset()


def source(path: Path, rest: float = 3600.0) -> FilesSource:
    return FilesSource(str(path), rest_seconds=rest, limits=BatchLimits(records=1))


def opened(files: FilesSource, ledger: MemoryLedger) -> Reader:
    (split,) = files.splits(ledger)
    return files.open(split, (), ledger)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def rest_of(reader: Reader) -> list[RecordBatch]:
    batches: list[RecordBatch] = []
    done = False
    while not done:
        polled = reader.poll(0.01)
        batches += polled.batches
        done = polled.done
    reader.close()
    return batches


def left() -> int:
    return sum("still being written" in note.group for note in notes.noted())


@pytest.mark.parametrize(
    ("name", "before", "after", "records"),
    [
        ("a.jsonl", LINES + b'{"n"', b": 3}\n5\n", [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}', b"5"]),
        ("a.csv", b"n,m\n1,2\n3,", b"4\n5,6\n", [b"1,2", b"3,4", b"5,6"]),
    ],
)
def test_what_is_appended_while_a_file_is_read_is_for_the_next_run(
    tmp_path: Path, name: str, before: bytes, after: bytes, records: list[bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(before)
    files, ledger = source(path), MemoryLedger()
    reader = opened(files, ledger)
    batches = list(reader.poll(1).batches)
    append(path, after)
    batches += rest_of(reader)
    assert not failures(batches)
    assert left() == 1
    ledger.settle(batches)
    more = read_all(files, ledger)
    assert raws(batches) + raws(more) == records
    assert not failures(more)
    assert not list(files.splits(ledger))


def test_an_end_that_may_not_be_one_is_taken_once_the_file_has_rested(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id\n1\n2")
    reader = opened(source(path), MemoryLedger())
    batches = [batch for _ in range(4) for batch in reader.poll(0.01).batches]
    assert raws(batches) == [b"1"]
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert raws(rest_of(reader)) == []
    assert left() == 1  # a new time is a write
    assert raws(read_all(source(path))) == [b"1", b"2"]


@pytest.mark.parametrize("data", [LINES + b'{"n": 3}', b'{"n": 3}', b'[{"n": 3}]', LINES])
def test_nothing_waits_for_a_newline_behind_a_whole_value(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    assert read_all(source(path))[-1].span.final


def test_a_download_in_progress_is_no_dead_letter_and_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    data = gzip.compress(
        b"".join(
            b'{"n": %d, "x": "%s"}\n' % (n, os.urandom(200).hex().encode()) for n in range(2_000)
        )
    )
    path.write_bytes(data[: len(data) // 2])
    files, ledger = source(path), MemoryLedger()
    files = FilesSource(str(path), rest_seconds=3600.0)
    reader = opened(files, ledger)
    batches = list(reader.poll(1).batches)
    append(path, data[len(data) // 2 :])
    batches += rest_of(reader)
    assert 0 < len(raws(batches)) < 2_000
    assert not failures(batches)
    ledger.settle(batches)
    more = read_all(files, ledger)
    assert not failures(more)
    assert len(raws(batches)) + len(raws(more)) == 2_000


def test_what_ends_early_and_has_rested_is_a_dead_letter(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LINES)[:-9])
    os.utime(path, (LONG_AGO, LONG_AGO))
    (failure,) = failures(read_all(source(path, 60.0)))
    assert failure.category == "object_corrupt"


def test_a_file_that_is_truncated_in_mid_read_is_one_failure(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n": "%s"}\n' % (b"x" * 100) * 20_000)
    reader = opened(source(path), MemoryLedger())
    batches = list(reader.poll(1).batches)
    path.write_bytes(LINES)
    batches += rest_of(reader)
    assert [failure.category for failure in failures(batches)] == ["object_changed"]
