"""Open readers of this process, kept between two bundles of their split."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from transforms.batch.splits import Position, Reader, Source, Split


class Readers:
    """Open readers of this process between two bundles of their split.

    On Flink a DoFn may be set up anew for every bundle, so they cannot live in one.
    A reader that nobody has asked for is closed: its split went to another process.
    """

    LIMIT = 64
    IDLE_SECONDS = 60.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Source, Split], tuple[Position, float, Reader]] = (
            OrderedDict()
        )

    def take(self, source: Source, split: Split, position: Position) -> Reader | None:
        """The reader that stands at ``position`` of ``split``, or None."""
        with self._lock:
            kept = self._kept.pop((source, split), None)
        if kept is None:
            return None
        at, _, reader = kept
        if at == position:
            return reader
        reader.close()
        return None

    def put(self, source: Source, split: Split, position: Position, reader: Reader) -> None:
        """Keep ``reader`` for the next bundle; close those that nobody took."""
        now = time.monotonic()
        stale: list[Reader] = []
        with self._lock:
            self._kept[source, split] = (position, now, reader)
            while self._kept:
                key, (_, since, oldest) = next(iter(self._kept.items()))
                if len(self._kept) <= self.LIMIT and now - since < self.IDLE_SECONDS:
                    break
                del self._kept[key]
                stale.append(oldest)
        for each in stale:
            each.close()

    def close(self) -> None:
        """Close all: the pipeline of this process has ended."""
        with self._lock:
            kept = [reader for _, _, reader in self._kept.values()]
            self._kept.clear()
        for reader in kept:
            reader.close()


READERS = Readers()
"""The cache of this process."""
