"""Reads the partitions of one split: batches, and how far every partition has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection

from sources.kafka_batches import Messages, batch_of, by_partition, expired, pin_of
from sources.kafka_cluster import Place
from sources.kafka_discovery import Discovery
from sources.kafka_fetch import Fetched, Fetcher
from sources.kafka_partition import END, Partition
from sources.kafka_starts import Begun, Look, Starts
from transforms import drain, metrics
from transforms.errors import SourceUnavailable
from transforms.record import RecordBatch
from transforms.splits import Polled, Position

_log = logging.getLogger(__name__)

_LAG_SECONDS = 1.0


class KafkaReader:
    """Reads one split.

    Args:
        fetcher: Fetches messages.
        starts: Says where partitions begin.
        discovery: Looks for partitions, and for the brokers when they are away.
        idle_seconds: A partition with nothing to read for so long does not hold the
            watermark back.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        starts: Starts,
        discovery: Discovery,
        idle_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetcher = fetcher
        self._starts = starts
        self._discovery = discovery
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._started = False
        self._active: dict[Place, Partition] = {}
        self._lost: dict[Place, Partition] = {}
        self._done: dict[Place, Partition] = {}
        self._ready: list[RecordBatch] = []
        self._warned: set[str] = set()
        self._lag_due = 0.0
        self._watermark: float | None = None

    def poll(self, timeout: float) -> Polled:
        """What is there, at once; else what comes within ``timeout`` seconds.

        Raises:
            SourceUnavailable: No broker for longer than the outage budget, a topic may not
                be read, was deleted in a bounded run, or its log was truncated.
        """
        deadline = time.monotonic() + timeout
        self._look_around(0.0 if self._started else timeout)
        batches, self._ready = self._ready, []
        left = timeout
        while not batches and self._active and left >= 0:
            left = deadline - time.monotonic()
            batches = self._batches(self._fetcher.take(max(0.0, left)))
        if not batches and not self._active and not self._finished:
            # No partition to wait for: until a look finds one.
            drain.wait(max(0.0, deadline - time.monotonic()))
        return Polled(batches, self._position(), self._finished, self._reached())

    def backlog(self) -> int:
        """Offsets left to read, as far as the client has been told."""
        return sum(partition.backlog for partition in self._partitions())

    def close(self) -> None:
        """Close the consumer; a look under way is left to end by itself."""
        self._fetcher.close()

    @property
    def _finished(self) -> bool:
        return self._starts.bounded and self._started and not (self._active or self._lost)

    def _partitions(self) -> list[Partition]:
        return [*self._active.values(), *self._lost.values(), *self._done.values()]

    def _position(self) -> Position:
        if not self._started:
            return self._starts.position
        return tuple(sorted(_positions(self._partitions()).items()))

    def _reached(self) -> float | None:
        """The least advanced partition's watermark; never goes back."""
        now, monotonic = self._clock(), time.monotonic()
        marks = [
            each.watermark(now, monotonic, self._idle_seconds)
            for each in (*self._active.values(), *self._lost.values())
        ]
        known = [mark for mark in marks if mark is not None]
        if known and len(known) == len(marks):
            self._watermark = max(min(known), self._watermark or 0.0)
        return self._watermark

    def _look_around(self, timeout: float) -> None:
        """Take what the last look has found; launch the next when it is due."""
        if self._discovery.due():
            known = {each.name for each in (*self._active.values(), *self._done.values())}
            lost, first = _positions(self._lost.values()), not self._started
            self._discovery.launch(lambda: self._starts.look(known, lost, first=first))
        look = self._discovery.take(timeout)
        if look is not None:
            self._apply(look)

    def _apply(self, look: Look) -> None:
        if look.truncated is not None:
            raise SourceUnavailable(look.truncated)
        self._drop_vanished(look)
        for topic in look.topics.missing:
            if self._starts.bounded and not self._started:
                raise SourceUnavailable(f"topic {topic} does not exist (any more)")
            self._warn_once(f"topic {topic} does not exist; waiting for it")
        for begun in look.begun:
            self._begin(begun)
        self._started = True

    def _begin(self, begun: Begun) -> None:
        partition = begun.partition
        place = partition.place
        before = self._lost.pop(place, None)
        if before is not None:
            partition.event_time = before.event_time
        if begun.pin:
            self._ready.append(pin_of(partition))
        low = begun.low if partition.end is None else min(begun.low, partition.end)
        if partition.next < low:
            self._skip(partition, low)
        if partition.done:
            self._done[place] = partition
        else:
            self._active[place] = partition
            self._fetcher.assign(place, partition.next)

    def _skip(self, partition: Partition, low: int) -> None:
        """Go on at the first offset that still exists, and say so everywhere."""
        metrics.count("skipped_offsets", low - partition.next)
        batch = expired(partition, low)
        _log.warning("%s", batch.failures[0].message)
        self._ready.append(batch)

    def _drop_vanished(self, look: Look) -> None:
        for partition in (*self._active.values(), *self._lost.values()):
            place = partition.place
            label = look.topics.labels.get(place)
            if label == partition.label:
                continue
            what = "was deleted" if label is None else "was deleted and created again"
            if self._starts.bounded:
                raise SourceUnavailable(f"topic {partition.topic} {what} while it was read")
            self._warn_once(f"topic {partition.topic} {what}; what of it was not read is lost")
            if self._active.pop(place, None):
                self._fetcher.release(place)
            self._lost.pop(place, None)

    def _batches(self, fetched: Fetched) -> list[RecordBatch]:
        """One batch a partition; moves every partition on."""
        if fetched.news:
            self._discovery.soon()
        grouped = by_partition(fetched.messages, len({topic for topic, _ in self._active}))
        batches: list[RecordBatch] = []
        for place in dict.fromkeys((*grouped, *fetched.ends)):
            partition = self._active.get(place)
            if partition is None:
                continue  # came before it was released
            batch = self._batch(partition, grouped.get(place, ()), fetched.ends.get(place, 0))
            if batch is not None:
                batches.append(batch)
            if partition.done:
                self._done[place] = self._stop(place)
        for place in fetched.lost:
            if place in self._active:
                self._lost[place] = self._stop(place)
        self._measure_lag()
        return batches

    def _batch(self, partition: Partition, found: Messages, eof: int) -> RecordBatch | None:
        end = int(found[-1].offset() or 0) + 1 if found else 0
        if eof >= max(end, partition.next):
            if partition.caught_up is None or found:
                partition.caught_up = time.monotonic()
        elif found:
            partition.caught_up = None
        end = max(end, eof)
        if partition.end is not None:
            end = min(end, partition.end)
        ignore = self._starts.address.ignore_tombstones
        return batch_of(partition, found, end, ignore_tombstones=ignore)

    def _stop(self, place: Place) -> Partition:
        self._fetcher.release(place)
        return self._active.pop(place)

    def _measure_lag(self) -> None:
        now = time.monotonic()
        if now < self._lag_due:
            return
        self._lag_due = now + _LAG_SECONDS
        for place, partition in self._active.items():
            partition.high = max(partition.high, self._fetcher.high(place))
        metrics.gauge("lag", self.backlog())

    def _warn_once(self, line: str) -> None:
        if line not in self._warned:
            self._warned.add(line)
            _log.warning("%s", line)


def _positions(partitions: Collection[Partition]) -> dict[str, int]:
    """The part of a position that is about ``partitions``."""
    at = {each.name: each.next for each in partitions}
    return at | {f"{END}{each.name}": each.end for each in partitions if each.end is not None}
