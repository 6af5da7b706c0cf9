"""Read the partitions of one split: their batches, and how far each partition has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from sources.kafka.cluster import Place
from sources.kafka.discovery import Discovery
from sources.kafka.fetch import Fetched
from sources.kafka.guard import Guard
from sources.kafka.held import HeldBack
from sources.kafka.lag import Lag
from sources.kafka.leftover import messages_of_old_topic
from sources.kafka.messages.batches import (
    Messages,
    Tombstones,
    batch_of,
    by_partition,
    expired_batches,
    final_batches,
    pin_batches,
)
from sources.kafka.partition import END, Partition
from sources.kafka.progress import Follower
from sources.kafka.starts import Look, NewPartition, Starts
from transforms import metrics
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Cut, Polled, Position
from transforms.errors import SourceUnavailable
from transforms.read import drain, standing

_log = logging.getLogger(__name__)

_LAG_SECONDS = 1.0
_SHOWN = 8


class KafkaReader:
    """Reads one split.

    Args:
        guard: Fetches messages, and releases those of the topics that are meant.
        starts: Finds partitions and where they begin.
        discovery: Looks for partitions, and for the brokers while they are away.
        idle_seconds: A partition with nothing to read for this long does not hold back the
            watermark.
        cut: Cuts the records of messages that hold several; None if a message is a record.
        follower: Tells the source's group what the ledger has; None without a group.
        stop_if_missing: Whether a topic that does not exist, or is deleted, ends the run instead
            of being waited for.
        tombstones: What becomes of messages without a value.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        guard: Guard,
        starts: Starts,
        discovery: Discovery[Look],
        idle_seconds: float,
        follower: Follower | None = None,
        *,
        cut: Cut | None = None,
        stop_if_missing: bool = False,
        tombstones: Tombstones = "dead",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._guard = guard
        self._starts = starts
        self._discovery = discovery
        self._idle_seconds = idle_seconds
        self._cut = cut
        self._follower = follower
        self._tombstones: Tombstones = tombstones
        self._stop_if_missing = stop_if_missing or starts.bounded
        self._stopped = ""
        self._clock = clock
        self._started = False
        self._active: dict[Place, Partition] = {}
        self._lost: dict[Place, Partition] = {}
        self._gone: dict[Place, Partition] = {}
        self._done: dict[Place, Partition] = {}
        self._ready: list[RecordBatch] = []
        self._warned: set[str] = set()
        self._lag_due = 0.0
        self._lag = Lag(starts.cluster.log_ends)
        self._held_back = HeldBack()
        self._watermark: float | None = None

    def poll(self, timeout: float) -> Polled:
        """What is there, at once; otherwise what arrives within ``timeout`` seconds.

        Raises:
            SourceUnavailable: No broker answered for longer than the outage budget; a topic may
                not be read, was deleted during a bounded run, or its log was truncated.
        """
        deadline = time.monotonic() + timeout
        if self._stopped:
            raise SourceUnavailable(self._stopped)
        self._look_around(0.0 if self._started else timeout)
        batches, self._ready = self._ready, []
        left = timeout
        while not (batches or self._stopped) and self._active and left >= 0:
            left = deadline - time.monotonic()
            batches = self._batches(self._guard.take(max(0.0, left)))
            if self._guard.doubtful:
                batches += self._after_doubt(deadline)
                break
        if not batches and not self._active and not self._finished:
            # There is no partition to wait for until a look finds one.
            drain.wait(max(0.0, deadline - time.monotonic()))
        # What was read of a topic that is gone is settled before the next poll ends the run.
        rest = bool(self._stopped)
        return Polled(batches, self._position(), self._finished, self._reached(), rest, self._cut)

    def backlog(self) -> int:
        """How many offsets are left to read, as far as the client knows, and records that wait."""
        return sum(partition.backlog for partition in self._partitions())

    def hold(self, records: Mapping[tuple[str, str], int]) -> None:
        """How many records of each source and partition wait elsewhere (``sources.kafka.fair``).

        They count as backlog, and as lag; those of other partitions are none.
        """
        for partition in self._partitions():
            partition.ahead = records.get((partition.source, partition.label), 0)

    def attend(self) -> None:
        """Serve the client while the topic is not read; see ``transforms.batch.splits.Attended``."""
        if self._started:
            self._guard.attend()

    def close(self) -> None:
        """Close the consumer; nobody waits for a look that is under way."""
        self._guard.close()
        self._lag.close()

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
        """The watermark of the partition that is furthest behind; it never goes back."""
        now, monotonic = self._clock(), time.monotonic()
        marks: list[float] = []
        for partition in (*self._active.values(), *self._lost.values()):
            mark = partition.watermark(now, monotonic, self._idle_seconds)
            if mark is None:
                return self._watermark
            marks.append(mark)
        if marks:
            self._watermark = max(min(marks), self._watermark or 0.0)
        return self._watermark

    def _after_doubt(self, deadline: float) -> list[RecordBatch]:
        """Look at the cluster, as a topic may be gone. Returns what is left of it to settle."""
        self._discovery.soon()
        self._look_around(max(0.0, deadline - time.monotonic()))
        if self._guard.doubtful:
            drain.wait(max(0.0, deadline - time.monotonic()))
        batches, self._ready = self._ready, []
        return batches

    def _look_around(self, timeout: float) -> None:
        """Launch a look if one is due, and apply its result."""
        if self._discovery.due():
            reading = {
                each.place: each.label for each in (*self._active.values(), *self._done.values())
            }
            waiting = [replace(each) for each in (*self._lost.values(), *self._gone.values())]
            first = not self._started
            self._discovery.launch(lambda: self._look(reading, waiting, first=first))
        look = self._discovery.take(timeout)
        if look is not None:
            self._apply(look)

    def _look(
        self, reading: Mapping[Place, str], waiting: Sequence[Partition], *, first: bool
    ) -> Look:
        """What a look at the cluster means; afterwards the group follows the ledger."""
        look = self._starts.look(reading, waiting, first=first)
        if self._follower is not None:
            new = {each.partition.place: each.partition.label for each in look.new}
            labels = {
                place: label for place, label in reading.items() if look.topics.has(place, label)
            }
            self._follower.follow(
                (f"kafka://{topic}", label) for (topic, _), label in (labels | new).items()
            )
        return look

    def _apply(self, look: Look) -> None:
        if look.truncated is not None:
            raise SourceUnavailable(look.truncated)
        self._drop_vanished(look)
        for partition in look.replaced:
            self._finish(partition, look)
        for topic in look.topics.missing:
            if self._stop_if_missing and not self._started:
                raise SourceUnavailable(f"topic {topic} does not exist (any more)")
            self._warn_once(
                f"topic {topic} does not exist; waiting for it", source=f"kafka://{topic}"
            )
        for line, fields in look.notes.items():
            self._warn_once(line, **fields)
        for new in look.new:
            self._begin(new)
        if self._starts.bounded:
            self._say_what_is_held([new.partition for new in look.new])
        self._guard.confirm(self._discovery.launched_at, look.topics.ids)
        self._started = True

    def _begin(self, new: NewPartition) -> None:
        partition = new.partition
        place = partition.place
        before = self._lost.pop(place, None) or self._gone.pop(place, None)
        if before is not None:
            partition.event_time = before.event_time
        self._ready += pin_batches(partition, new.pins)
        low = new.low if partition.end is None else min(new.low, partition.end)
        if partition.next < low:
            self._skip(expired_batches(partition, low, new.settled))
        standing.note(partition.standing)
        if partition.done:
            self._done[place] = partition
        else:
            self._active[place] = partition
            self._guard.assign(partition)

    def _skip(self, batches: list[RecordBatch]) -> None:
        """Continue after offsets that are gone; log and count them."""
        for batch in batches:
            if batch.failures:
                metrics.count("skipped_offsets", batch.span.end - batch.span.start)
                span = batch.span
                offsets = {"first_offset": span.start, "last_offset": span.end - 1}
                place = {"source": span.source, "partition": span.partition}
                _log.warning("%s", batch.failures[0].message, extra={**place, **offsets})
        self._ready += batches

    def _drop_vanished(self, look: Look) -> None:
        """Stop reading partitions that no longer exist, and settle what is left of them."""
        topics = look.topics
        reading = (*self._active.values(), *self._lost.values())
        vanished = [each for each in reading if not topics.has(each.place, each.label)]
        deleted = [each for each in vanished if each.topic not in topics.ids]
        if deleted and self._starts.bounded:
            raise SourceUnavailable(f"topic {deleted[0].topic} was deleted while it was read")
        returned = [each for each in self._gone.values() if each.topic in topics.ids]
        if vanished:
            self._leave(vanished)
        for topic in dict.fromkeys(each.topic for each in deleted):
            farewell = _farewell(topic, [each for each in deleted if each.topic == topic])
            self._warn_once(farewell, source=f"kafka://{topic}")
            if self._stop_if_missing and not self._stopped:
                self._stopped = f"{farewell}; it is not waited for"
        self._gone.update((each.place, each) for each in deleted)
        for partition in (*vanished, *returned):
            if partition in deleted or topics.has(partition.place, partition.label):
                continue
            self._gone.pop(partition.place, None)
            self._finish(partition, look)
        if vanished or returned:
            self._guard.reopen()
            for partition in self._active.values():
                self._guard.assign(partition)

    def _leave(self, vanished: Collection[Partition]) -> None:
        """Settle what was fetched of partitions before they vanished."""
        queued = by_partition(self._guard.drain(), topics=0)
        for partition in vanished:
            standing.forget(partition.source, partition.label)
            self._active.pop(partition.place, None)
            self._lost.pop(partition.place, None)
            messages = messages_of_old_topic(
                self._starts.cluster, partition, queued.get(partition.place, ())
            )
            batch = self._batch(partition, messages, 0) if messages else None
            if batch is not None:
                self._ready.append(batch)
            partition.seen = max(partition.seen, partition.next)

    def _finish(self, partition: Partition, look: Look) -> None:
        """Settle for good what the old topic still had to read, as it was created again."""
        new = "a later run reads it" if self._starts.bounded else "it is read from its beginning"
        self._warn_once(
            f"topic {partition.topic} was deleted and created again (as "
            f"{look.topics.ids[partition.topic]}): {new}; whatever was written to the old "
            "one after it was last seen can no longer be read",
            source=partition.source,
        )
        coverage = look.settled.get(partition.topic, {}).get(partition.label)
        end = partition.seen if partition.end is None else partition.end
        self._skip(final_batches(partition, end, coverage.ranges if coverage else ()))

    def _batches(self, fetched: Fetched) -> list[RecordBatch]:
        """One batch for each partition; moves every partition on."""
        if fetched.news:
            self._discovery.soon()
        grouped = by_partition(fetched.messages, len({topic for topic, _ in self._active}))
        batches: list[RecordBatch] = []
        for place in dict.fromkeys((*grouped, *fetched.ends)):
            partition = self._active.get(place)
            if partition is None:
                continue  # fetched before it was released
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

    def _batch(self, partition: Partition, messages: Messages, eof: int) -> RecordBatch | None:
        end = int(messages[-1].offset() or 0) + 1 if messages else 0
        if eof >= max(end, partition.next):
            if partition.caught_up is None or messages:
                partition.caught_up = time.monotonic()
        elif messages:
            partition.caught_up = None
        end = max(end, eof)
        if partition.end is not None:
            end = min(end, partition.end)
        return batch_of(partition, messages, end, self._tombstones)

    def _stop(self, place: Place) -> Partition:
        self._guard.release(place)
        return self._active.pop(place)

    def _measure_lag(self) -> None:
        now = time.monotonic()
        if now < self._lag_due:
            return
        self._lag_due = now + _LAG_SECONDS
        for place, partition in self._active.items():
            partition.high = max(partition.high, self._guard.high(place))
            if partition.end is None:
                # At its end for a reader, yet there is more: a transaction is open.
                at_end = partition.caught_up is not None
                partition.hold(partition.next if at_end else partition.high)
            standing.note(partition.standing)
        metrics.gauge("lag", self.backlog())
        self._lag.note(self._partitions())
        if not self._starts.bounded:
            self._say_what_is_held(self._active.values())

    def _say_what_is_held(self, partitions: Collection[Partition]) -> None:
        held = [partition for partition in partitions if partition.held]
        lines = self._held_back.lines(held, bounded=self._starts.bounded)
        for line, fields in lines.items():
            _log.warning("%s", line, extra=fields)

    def _warn_once(self, line: str, **fields: object) -> None:
        if line not in self._warned:
            self._warned.add(line)
            _log.warning("%s", line, extra=fields)


def _farewell(topic: str, partitions: Collection[Partition]) -> str:
    """Say that a topic is gone, and what of it was not read."""
    unread = [
        f"offsets {each.next}–{each.seen - 1} of partition {each.number}"
        for each in partitions
        if each.next < each.seen
    ]
    if not unread:
        return f"topic {topic} was deleted; everything seen of it was read"
    more = f" and of {len(unread) - _SHOWN} more" if len(unread) > _SHOWN else ""
    return f"topic {topic} was deleted before these were read: {', '.join(unread[:_SHOWN])}{more}"


def _positions(partitions: Collection[Partition]) -> dict[str, int]:
    """The part of a position that is about ``partitions``."""
    at = {each.name: each.next for each in partitions}
    return at | {f"{END}{each.name}": each.end for each in partitions if each.end is not None}
