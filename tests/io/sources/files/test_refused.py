"""One object that may not be read does not stop the others, and is read once it may be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources.files.source import FilesSource
from sources.storage.local import LocalFile
from tests.io.sources.files.test_walk import walked
from tests.io.sources.files.watching import nothing, opened, records, until
from tests.io.sources.reading import MemoryLedger, raws, read_all
from transforms import metrics, notes
from transforms.batch.backoff import Backoff
from transforms.batch.splits import BatchLimits
from transforms.errors import ObjectUnavailable

CLOSED: dict[str, int] = {}
"""How often each closed file still refuses, by the end of its name."""


@pytest.fixture(autouse=True)
def rights(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files in ``CLOSED`` refuse to be read."""
    read_at = LocalFile.read_at

    def guarded(self: LocalFile, offset: int, length: int) -> bytes:
        name = os.path.basename(self._uri)
        if CLOSED.get(name, 0) > 0:
            CLOSED[name] -= 1
            raise ObjectUnavailable(f"cannot read {name}")
        return read_at(self, offset, length)

    monkeypatch.setattr(LocalFile, "read_at", guarded)
    metrics.reset()
    notes.reset()
    yield
    CLOSED.clear()
    metrics.reset()
    notes.reset()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_bytes(f'"{name}1"\n"{name}2"\n'.encode())
    return tmp_path


@pytest.mark.parametrize("walk", [False, True])
def test_the_others_are_read_and_the_next_run_reads_it(folder: Path, walk: bool) -> None:
    CLOSED["b.jsonl"] = 1
    ledger = MemoryLedger()
    files = FilesSource(f"{folder}/*", walk=walk)
    if walk:
        (split,) = files.splits(ledger)
        batches = walked(files.open(split, (), ledger))
        ledger.settle(batches)
    else:
        batches = read_all(files, ledger)
    assert raws(batches) == [b'"a1"', b'"a2"', b'"c1"', b'"c2"']
    assert metrics.tally()["objects_unavailable"] == 1
    assert [note.names for note in notes.noted()] == [("cannot read b.jsonl",)]
    assert raws(read_all(FilesSource(f"{folder}/*"), ledger)) == [b'"b1"', b'"b2"']


def test_a_watch_tries_it_again_and_reads_it_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    CLOSED["b.jsonl"] = 2
    monkeypatch.setattr("sources.files.watch.PATIENCE", Backoff(0.01, 0.02))
    files = FilesSource(f"{folder}/*", watch=True, poll_interval=0.05, rest_seconds=0)
    reader = opened(files, MemoryLedger())
    batches = until(reader, records(6))
    assert sorted(raws(batches)) == [f'"{name}{n}"'.encode() for name in "abc" for n in (1, 2)]
    assert metrics.tally()["objects_unavailable"] == 1, "it is named once"
    nothing(reader)
    reader.close()


def test_what_was_settled_before_access_was_lost_stays(folder: Path) -> None:
    (folder / "b.jsonl").write_bytes(b'"b1"\n' + b" " * (2 << 20) + b'\n"b2"\n')
    ledger = MemoryLedger()
    files = FilesSource(f"{folder}/b.jsonl", limits=BatchLimits(records=1))
    (split,) = files.splits(ledger)
    reader = files.open(split, (), ledger)
    ledger.settle(reader.poll(0).batches)
    CLOSED["b.jsonl"] = 1
    polled = reader.poll(5)
    ledger.settle(polled.batches)
    assert (polled.done, raws(polled.batches)) == (True, [])
    reader.close()
    assert raws(read_all(files, ledger)) == [b'"b2"']
    assert list(files.splits(ledger)) == []


def test_a_file_that_may_not_be_read_is_no_reason_to_refuse_the_run(folder: Path) -> None:
    (folder / "d.csv").write_bytes(b"x\n")
    CLOSED["d.csv"] = 1
    FilesSource(f"{folder}/*").check()
