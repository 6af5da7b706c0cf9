"""Open readers of this process, kept between two bundles of their split."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from transforms.batch.splits import Position, Reader, Source, Split
from transforms.per_process import PerProcess
from transforms.read.emission import Interrupted

Kept = Reader | Interrupted
"""What stands between two bundles: a reader, or one whose last poll is not emitted yet."""


@dataclass(frozen=True, slots=True)
class _Idle:
    """A reader between two bundles: where it stands, and since when (monotonic seconds)."""

    position: Position
    since: float
    reader: Kept


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The idle readers of one process, the longest idle first."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: OrderedDict[tuple[Source, Split], _Idle] = field(default_factory=OrderedDict)


class Readers:
    """Open readers of this process between two bundles of their split.

    On Flink, a DoFn may be set up again for every bundle, so a reader cannot live in one.
    A reader that nobody takes within ``IDLE_SECONDS`` is closed: its split went to another
    process.
    """

    LIMIT = 64
    IDLE_SECONDS = 60.0

    def __init__(self) -> None:
        self._shelves = PerProcess[None, _Shelf](lambda _: _Shelf())

    def take(self, source: Source, split: Split, position: Position) -> Kept | None:
        """The reader that stands at ``position`` of ``split``, or None."""
        shelf = self._shelves.get(None)
        with shelf.lock:
            entry = shelf.idle.pop((source, split), None)
        if entry is None:
            return None
        if entry.position == position:
            return entry.reader
        entry.reader.close()
        return None

    def put(self, source: Source, split: Split, position: Position, reader: Kept) -> None:
        """Keep ``reader`` for the next bundle; close those that nobody took."""
        now = time.monotonic()
        stale: list[Kept] = []
        shelf = self._shelves.get(None)
        with shelf.lock:
            shelf.idle[source, split] = _Idle(position, now, reader)
            while shelf.idle:
                key, oldest = next(iter(shelf.idle.items()))
                if len(shelf.idle) <= self.LIMIT and now - oldest.since < self.IDLE_SECONDS:
                    break
                del shelf.idle[key]
                stale.append(oldest.reader)
        for unclaimed in stale:
            unclaimed.close()

    def close(self) -> None:
        """Close all: the pipeline of this process has ended."""
        shelf = self._shelves.get(None)
        with shelf.lock:
            entries = list(shelf.idle.values())
            shelf.idle.clear()
        for entry in entries:
            entry.reader.close()


READERS = Readers()
"""The open readers of this process."""
