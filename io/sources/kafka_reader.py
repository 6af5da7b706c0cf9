"""Reads the partitions of one split: polls, batches, and keeps every partition's position."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sources.kafka_batches import Messages, batch_of, by_partition, expired, pin_of
from sources.kafka_cluster import Place
from sources.kafka_discovery import Discovery
from sources.kafka_errors import BROKEN, GONE, LOST, refusal, text_of
from sources.kafka_log import LOGGER
from sources.kafka_partition import END, Partition
from sources.kafka_starts import Begun, Look, Starts
from transforms import drain, metrics
from transforms.errors import SourceUnavailable
from transforms.record import RecordBatch
from transforms.splits import BatchLimits, Polled, Position

_log = logging.getLogger(__name__)

_LAG_SECONDS = 1.0
_ERROR_PAUSE = 0.1


@dataclass(frozen=True, slots=True)
class Reading:
    """How a split is read.

    Attributes:
        limits: Bounds of what one poll returns, over all partitions.
        idle_seconds: A partition with nothing to read for so long does not hold the
            watermark back.
        ignore_tombstones: Leave out messages without a value.
        group: The consumer group, or None.
    """

    limits: BatchLimits
    idle_seconds: float
    ignore_tombstones: bool
    group: str | None


class KafkaReader:
    """Reads one split. Partitions are assigned, not subscribed: no group decides about them.

    Args:
        make: Makes the consumer, given where to send its errors.
        starts: Says where partitions begin.
        discovery: Looks for partitions, and for the brokers when they are away.
        reading: How to read.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        make: Callable[[Callable[[KafkaError], None]], Consumer],
        starts: Starts,
        discovery: Discovery,
        reading: Reading,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._starts = starts
        self._discovery = discovery
        self._reading = reading
        self._clock = clock
        self._started = False
        self._active: dict[Place, Partition] = {}
        self._lost: dict[Place, Partition] = {}
        self._done: dict[Place, Partition] = {}
        self._ready: list[RecordBatch] = []
        self._warned: set[str] = set()
        self._message_bytes = 1_000.0
        self._lag_due = 0.0
        self._fatal: KafkaError | None = None
        self._watermark: float | None = None
        self._consumer: Consumer | None = make(self._on_error)

    def poll(self, timeout: float) -> Polled:
        """What is there, at once; else what comes within ``timeout`` seconds.

        Raises:
            SourceUnavailable: No broker for longer than the outage budget, a topic may not
                be read, was deleted in a bounded run, or its log was truncated.
        """
        deadline = time.monotonic() + timeout
        self._look_around(0.0 if self._started else timeout)
        if not self._started:
            drain.wait(max(0.0, min(self._discovery.pause(), deadline - time.monotonic())))
        batches, self._ready = self._ready, []
        while not batches and self._active:
            left = max(0.0, deadline - time.monotonic())
            batches = self._consume(left)
            if left <= 0:
                break
        if not batches and self._started and not self._active and not self._finished:
            drain.wait(max(0.0, deadline - time.monotonic()))
        return Polled(batches, self._position(), self._finished, self._reached())

    def backlog(self) -> int:
        """Offsets left to read, as far as the client has been told."""
        return sum(partition.backlog for partition in self._partitions())

    def close(self) -> None:
        """Close the consumer; a look under way is left to end by itself."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    @property
    def _finished(self) -> bool:
        return self._starts.bounded and self._started and not (self._active or self._lost)

    def _partitions(self) -> list[Partition]:
        return [*self._active.values(), *self._lost.values(), *self._done.values()]

    def _open(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError("the reader is closed")
        return self._consumer

    def _position(self) -> Position:
        if not self._started:
            return self._starts.position
        return tuple(sorted(_positions(self._partitions()).items()))

    def _reached(self) -> float | None:
        """The least advanced partition's watermark; never goes back."""
        now, monotonic, idle = self._clock(), time.monotonic(), self._reading.idle_seconds
        marks = [
            each.watermark(now, monotonic, idle)
            for each in (*self._active.values(), *self._lost.values())
        ]
        known = [mark for mark in marks if mark is not None]
        if known and len(known) == len(marks):
            least = min(known)
            if self._watermark is None or least > self._watermark:
                self._watermark = least
        return self._watermark

    # What there is to read

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
        place = (partition.topic, partition.number)
        before = self._lost.pop(place, None)
        if before is not None:
            partition.event_time = before.event_time
        if begun.pin:
            self._ready.append(pin_of(partition))
        if partition.next < begun.low:
            low = begun.low if partition.end is None else min(begun.low, partition.end)
            if low > partition.next:
                self._skip(partition, low)
        if partition.done:
            self._done[place] = partition
            return
        self._active[place] = partition
        self._open().incremental_assign(
            [TopicPartition(partition.topic, partition.number, partition.next)]
        )

    def _skip(self, partition: Partition, low: int) -> None:
        """Go on at the first offset that still exists, and say so everywhere."""
        skipped = low - partition.next
        batch = expired(partition, low)
        _log.warning("%s", batch.failures[0].message)
        metrics.count("skipped_offsets", skipped)
        self._ready.append(batch)

    def _drop_vanished(self, look: Look) -> None:
        for partition in (*self._active.values(), *self._lost.values()):
            place = (partition.topic, partition.number)
            label = look.topics.labels.get(place)
            if label == partition.label:
                continue
            what = "was deleted" if label is None else "was deleted and created again"
            if self._starts.bounded:
                raise SourceUnavailable(f"topic {partition.topic} {what} while it was read")
            _log.warning("topic %s %s; what of it was not read is lost", partition.topic, what)
            if place in self._active:
                self._release(place)
            self._lost.pop(place, None)
            # Whatever follows under the same name is another partition, from its beginning.
            self._discovery.soon()

    # Messages

    def _consume(self, timeout: float) -> list[RecordBatch]:
        """Wait for a first message, then take what is queued without waiting."""
        consumer = self._open()
        limits = self._reading.limits
        messages: list[Message[bytes, bytes]] = []
        size = 0
        try:
            while len(messages) < limits.records and size < limits.bytes:
                want = int((limits.bytes - size) / self._message_bytes) + 1
                got = consumer.consume(min(want, limits.records - len(messages)), 0)
                if not got and not messages and timeout > 0:
                    got = consumer.consume(1, timeout)
                    timeout = 0
                if not got:
                    break
                messages += got
                # Not len(message): it fails on a message without a value.
                length = sum(map(len, filter(None, map(Message.value, got))))
                size += length
                self._message_bytes += 0.5 * (length / len(got) - self._message_bytes)
                self._message_bytes = max(1.0, self._message_bytes)
        except KafkaException as error:
            raise SourceUnavailable(f"the consumer failed: {text_of(error.args[0])}") from error
        if self._fatal is not None:
            raise SourceUnavailable(f"the consumer failed: {text_of(self._fatal)}")
        return self._batches(messages)

    def _batches(self, messages: Messages) -> list[RecordBatch]:
        ends: dict[Place, int] = {}
        # Never compared with ==: an error compared with None leaves a stray exception behind.
        if any(map(Message.error, messages)):
            ends = self._errors([each for each in messages if each.error() is not None])
            messages = [each for each in messages if each.error() is None]
        grouped = by_partition(messages, len({topic for topic, _ in self._active}))
        batches: list[RecordBatch] = []
        for place in dict.fromkeys((*grouped, *ends)):
            partition = self._active.get(place)
            if partition is None:
                continue  # came before it was released
            found = grouped.get(place, ())
            batch = self._batch(partition, found, ends.get(place, 0))
            if batch is not None:
                batches.append(batch)
            if partition.done:
                self._release(place)
                self._done[place] = partition
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
        ignore = self._reading.ignore_tombstones
        return batch_of(partition, found, end, ignore_tombstones=ignore)

    def _errors(self, messages: Messages) -> dict[Place, int]:
        """The ends of partitions that were reached; every other error is acted upon."""
        ends: dict[Place, int] = {}
        for message in messages:
            error = message.error()
            if error is None:
                continue
            place = (str(message.topic()), int(message.partition() or 0))
            if error.code() == KafkaError._PARTITION_EOF:
                ends[place] = int(message.offset() or 0)
            else:
                self._act_on(error, place)
        return ends

    def _act_on(self, error: KafkaError, place: Place) -> None:
        code = error.code()
        topic, number = place
        if error.fatal() or code in BROKEN:
            raise SourceUnavailable(f"cannot read {topic}/{number}: {text_of(error)}")
        reason = refusal(error, self._reading.group)
        if reason is not None:
            raise SourceUnavailable(f"cannot read {topic}: {reason}")
        if code in LOST:
            if place in self._active:
                partition = self._active[place]
                self._release(place)
                self._lost[place] = partition
        elif code not in GONE:
            LOGGER.warning("%s %s", error.name(), error.str())
            drain.wait(_ERROR_PAUSE)  # errors may come faster than messages
        self._discovery.soon()

    def _on_error(self, error: KafkaError) -> None:
        """Called by the client within ``consume``."""
        if error.fatal():
            self._fatal = error
        self._discovery.soon()

    def _release(self, place: Place) -> None:
        """Stop fetching a partition; what of it is queued is thrown away."""
        del self._active[place]
        self._open().incremental_unassign([TopicPartition(*place)])

    def _measure_lag(self) -> None:
        now = time.monotonic()
        if now < self._lag_due:
            return
        self._lag_due = now + _LAG_SECONDS
        consumer = self._open()
        for place, partition in self._active.items():
            found = consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            if found is not None:
                partition.high = max(partition.high, found[1])
        metrics.gauge("lag", self.backlog())

    def _warn_once(self, line: str) -> None:
        if line not in self._warned:
            self._warned.add(line)
            _log.warning("%s", line)


def _positions(partitions: Collection[Partition]) -> dict[str, int]:
    """The part of a position that is about ``partitions``."""
    at = {each.name: each.next for each in partitions}
    return at | {f"{END}{each.name}": each.end for each in partitions if each.end is not None}
