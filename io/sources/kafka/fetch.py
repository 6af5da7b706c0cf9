"""The consumer of one reader: take what is queued, and decide what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from clients.kafka.errors import BROKEN, GONE, LOST, refusal, text_of
from clients.kafka.log import LOGGER
from sources.kafka.cluster import Place
from sources.kafka.messages.batches import CHUNK
from transforms.batch.splits import BatchLimits
from transforms.errors import SourceUnavailable
from transforms.read import drain

_ERROR_PAUSE = 0.1


@dataclass(slots=True)
class Fetched:
    """The result of one fetch.

    Attributes:
        messages: Messages without errors, in order within each partition.
        ends: Partitions that were read to their end, and its offset.
        lost: Partitions whose next offset the broker does not have.
        news: Something has happened that a look at the cluster may explain.
    """

    messages: Sequence[Message[bytes, bytes]] = ()
    ends: dict[Place, int] = field(default_factory=dict)
    lost: list[Place] = field(default_factory=list)
    news: bool = False


class Fetcher:
    """Fetches from the partitions assigned to it by the reader, not by a group.

    Args:
        make: Makes the consumer; takes the function for errors that belong to no partition.
        limits: Bounds of one fetch.
        group: The consumer group of the source, or None.
    """

    def __init__(
        self,
        make: Callable[[Callable[[KafkaError], None]], Consumer],
        limits: BatchLimits,
        group: str | None,
    ) -> None:
        self._make = make
        self._limits = limits
        self._group = group
        self._average_bytes = 1_000.0
        self._fatal: KafkaError | None = None
        self._news = False
        self._paused = False
        self._early: list[Message[bytes, bytes]] = []  # came while it was paused
        self._consumer: Consumer | None = make(self._on_error)

    def assign(self, place: Place, offset: int) -> None:
        """Start to fetch a partition at ``offset``."""
        self._open().incremental_assign([TopicPartition(*place, offset)])

    def release(self, place: Place) -> None:
        """Stop fetching a partition, and discard what is queued of it."""
        self._open().incremental_unassign([TopicPartition(*place)])

    def high(self, place: Place) -> int:
        """The end of a partition at the last fetch; negative before the first."""
        bounds = self._open().get_watermark_offsets(TopicPartition(*place), cached=True)
        return -1 if bounds is None else bounds[1]

    def reopen(self) -> None:
        """Start again with a new consumer that fetches nothing yet.

        If a topic was created again, the client would go on to trust what it knew of the old
        one, such as the epochs of its leaders, and might never fetch anything again.
        """
        self.close()
        self._fatal, self._news, self._paused = None, False, False
        self._early = []
        self._consumer = self._make(self._on_error)

    def close(self) -> None:
        """Close the consumer; may be called twice."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def attend(self) -> None:
        """Fetch nothing until the next ``take``, but serve the client: it keeps its connections and logins.

        Raises:
            SourceUnavailable: The client has failed for good.
        """
        consumer = self._open()
        try:
            if not self._paused:
                consumer.pause(consumer.assignment())
                self._paused = True
            self._early += consumer.consume(1, 0)
        except KafkaException as error:
            raise _failed(error.args[0]) from error

    def take(self, timeout: float) -> Fetched:
        """Wait for a first message, then take what is queued without waiting further.

        Raises:
            SourceUnavailable: The client has failed for good, a log cannot be read any further,
                or the cluster refuses.
        """
        try:
            messages = self._queued(timeout)
        except KafkaException as error:
            raise _failed(error.args[0]) from error
        if self._fatal is not None:
            raise _failed(self._fatal)
        fetched = Fetched(messages, news=self._news)
        self._news = False
        # Never compared by ==: an error compared with None leaves a stray exception behind.
        if any(map(Message.error, messages)):
            fetched.messages = [each for each in messages if each.error() is None]
            for message in messages:
                self._act_on(message, fetched)
        return fetched

    def _open(self) -> Consumer:
        if self._consumer is None:
            raise RuntimeError("the reader is closed")
        return self._consumer

    def _queued(self, timeout: float) -> list[Message[bytes, bytes]]:
        consumer, limits = self._open(), self._limits
        if self._paused:
            consumer.resume(consumer.assignment())
            self._paused = False
        messages, self._early = self._early, []
        size = 0
        while len(messages) < limits.records and size < limits.bytes:
            want = int((limits.bytes - size) / self._average_bytes) + 1
            got = consumer.consume(min(want, CHUNK, limits.records - len(messages)), 0)
            if not got and not messages and timeout > 0:
                got = consumer.consume(1, timeout)
                timeout = 0
            if not got:
                break
            messages += got
            # Not len(message): it fails on a message without a value.
            length = sum(map(len, filter(None, map(Message.value, got))))
            size += length
            change = length / len(got) - self._average_bytes
            self._average_bytes = max(1.0, self._average_bytes + 0.5 * change)
        return messages

    def _act_on(self, message: Message[bytes, bytes], fetched: Fetched) -> None:
        error = message.error()
        if error is None:
            return
        topic, number = place = (str(message.topic()), int(message.partition() or 0))
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            fetched.ends[place] = int(message.offset() or 0)
            return
        if error.fatal() or code in BROKEN:
            raise SourceUnavailable(f"cannot read {topic}/{number}: {text_of(error)}")
        reason = refusal(error, self._group)
        if reason is not None:
            raise SourceUnavailable(f"cannot read {topic}: {reason}")
        if code in LOST:
            fetched.lost.append(place)
        elif code not in GONE:
            LOGGER.warning("%s %s", error.name(), error.str())
            drain.wait(_ERROR_PAUSE)  # errors may arrive faster than messages
        fetched.news = True

    def _on_error(self, error: KafkaError) -> None:
        """Called by the client within ``take``."""
        if error.fatal():
            self._fatal = error
        self._news = True


def _failed(error: KafkaError) -> SourceUnavailable:
    return SourceUnavailable(f"the consumer failed: {text_of(error)}")
