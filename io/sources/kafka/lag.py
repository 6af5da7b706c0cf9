"""How far topics are ahead of a reader, also while nobody asks it for records."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping

from sources.kafka.cluster import Place
from sources.kafka.partition import Partition
from transforms import instruments
from transforms.background import in_background
from transforms.errors import SluiceError

SILENT_SECONDS = 5.0
"""While a slow database holds the reader back, ends are asked for as often as this."""

Ends = Callable[[Iterable[Place]], Mapping[Place, int]]
"""Returns the offset after the last message of each partition."""


class Lag:
    """The gauge ``source_lag_records`` of one reader, by source.

    The reader notes its partitions as it reads. While it does not, which is when the lag grows, a
    thread asks the brokers for the ends.

    Args:
        ends: Asks the brokers.
        silent_seconds: How long nothing was noted when they are asked, and between two questions;
            ``SILENT_SECONDS`` unless given.
    """

    def __init__(self, ends: Ends, silent_seconds: float | None = None) -> None:
        self._ends = ends
        self._silent_seconds = SILENT_SECONDS if silent_seconds is None else silent_seconds
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watched = False
        self._noted_at = 0.0  # monotonic
        self._open: list[Partition] = []
        self._sources: set[str] = set()

    def note(self, partitions: Collection[Partition]) -> None:
        """Show the backlog of ``partitions``, which are all that the reader has."""
        lags: Counter[str] = Counter()
        for partition in partitions:
            lags[partition.source] += partition.backlog
        with self._lock:
            self._noted_at = time.monotonic()
            # Those of a bounded run end where they ended at its start.
            self._open = [partition for partition in partitions if partition.end is None]
            self._show(lags)
            if self._open and not self._watched:
                self._watched = True
                in_background(self._watch, "kafka-lag")

    def close(self) -> None:
        """Show nothing any more; may be called twice."""
        with self._lock:
            self._closed.set()
            for source in self._sources:
                instruments.let_go("source_lag_records", source, str(id(self)))

    def _watch(self) -> None:
        while not self._closed.wait(self._silent_seconds):
            with self._lock:
                noted_at = self._noted_at
                # The reader has gone on since it noted them.
                places = {part.place: (part.source, part.next - part.ahead) for part in self._open}
            if not places or time.monotonic() - noted_at < self._silent_seconds:
                continue
            try:
                ends = self._ends(places)
            except SluiceError:
                continue  # the reader will say so
            lags: Counter[str] = Counter()
            for place, (source, offset) in places.items():
                lags[source] += max(0, ends.get(place, offset) - offset)
            with self._lock:
                if self._noted_at == noted_at and not self._closed.is_set():
                    self._show(lags)

    def _show(self, lags: Mapping[str, int]) -> None:
        for source in self._sources | lags.keys():
            instruments.hold("source_lag_records", lags.get(source, 0), source, str(id(self)))
        self._sources |= lags.keys()
