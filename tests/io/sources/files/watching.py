"""Readers that watch a folder, and what they bring."""

from __future__ import annotations

import time
from collections.abc import Callable

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, raws
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Reader, Split

Watch = Callable[..., Reader]
"""Watches the test's folder: a glob within it, and options of ``FilesSource``."""


def opened(files: FilesSource, ledger: MemoryLedger) -> Reader:
    """A reader of the only split of ``files``."""
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
    """Whether there are ``n`` records."""
    return lambda batches: sum(batch.read for batch in batches) >= n


def nothing(reader: Reader, seconds: float = 0.3) -> None:
    """Poll for some listings, none of which may bring anything."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert not reader.poll(0.05).batches
