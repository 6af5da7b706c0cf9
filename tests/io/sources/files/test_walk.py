from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, raws
from transforms import metrics
from transforms.batch.coverage import Coverage
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Reader, Split


@pytest.fixture(autouse=True)
def fresh_tally() -> Iterator[None]:
    metrics.reset()
    yield
    metrics.reset()


def folder_of(tmp_path: Path, files: int, lines: int = 3) -> str:
    for index in range(files):
        text = b"".join(b'{"n":%d}\n' % n for n in range(index * lines, (index + 1) * lines))
        (tmp_path / f"{index:04}.jsonl").write_bytes(text)
    return f"{tmp_path}/*.jsonl"


def walked(reader: Reader) -> list[RecordBatch]:
    batches: list[RecordBatch] = []
    while not (polled := reader.poll(5)).done:
        batches += polled.batches
    reader.close()
    return batches


def test_a_walk_is_one_split_and_reads_every_object() -> None:
    source = FilesSource("/nowhere/*.jsonl", walk=True)
    assert list(source.splits(MemoryLedger())) == [Split(source.uri, source.uri)]


def test_a_walk_reads_what_single_splits_would(tmp_path: Path) -> None:
    source = FilesSource(folder_of(tmp_path, files=5), walk=True)
    (split,) = source.splits(MemoryLedger())
    batches = walked(source.open(split, (), MemoryLedger()))
    assert raws(batches) == [b'{"n":%d}' % n for n in range(15)]
    assert all(batch.span.final for batch in batches)


def test_a_walk_leaves_out_what_is_settled_and_counts_both(tmp_path: Path) -> None:
    source = FilesSource(folder_of(tmp_path, files=3), walk=True)
    first = next(iter(FilesSource(source.uri).splits(MemoryLedger())))
    metrics.reset()
    ledger = MemoryLedger()
    ledger.coverages[first.name, first.version] = Coverage(((0, first.size),), first.size)
    (split,) = source.splits(ledger)
    batches = walked(source.open(split, (), ledger))
    assert raws(batches) == [b'{"n":%d}' % n for n in range(3, 9)]
    tally = metrics.tally()
    assert (tally["splits_planned"], tally["splits_skipped"]) == (2, 1)
    assert tally["bytes_skipped"] == first.size
    assert tally["bytes_read"] == tally["bytes_planned"] > 0, "the progress bar ends full"


def test_objects_are_listed_as_the_walk_goes(tmp_path: Path) -> None:
    source = FilesSource(folder_of(tmp_path, files=2_500, lines=1), walk=True)
    (split,) = source.splits(MemoryLedger())
    reader = source.open(split, (), MemoryLedger())
    reader.poll(0)
    assert metrics.tally()["splits_planned"] == 1, "the rest is not held in memory"
    reader.close()


def test_a_walk_over_nothing_ends_at_once(tmp_path: Path) -> None:
    source = FilesSource(f"{tmp_path}/*.jsonl", walk=True)
    (split,) = source.splits(MemoryLedger())
    assert walked(source.open(split, (), MemoryLedger())) == []
