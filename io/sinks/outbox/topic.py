"""Publish the outbox on a Kafka topic: each change at least once, those of one key in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError

from clients.kafka import config as kafka_config
from clients.kafka.config import Config
from clients.kafka.errors import text_of
from clients.kafka.producer import KafkaProducer, Message, producer
from sinks.outbox.queue import SqlOutboxQueue
from transforms.batch.counts import Counts
from transforms.batch.coverage import Ledger
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import SinkFailed, SinkUnavailable
from transforms.per_process import PerProcess
from transforms.settle.flight import Turn
from transforms.settle.sink import Settled

_TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
_UNSENDABLE = frozenset(
    {
        _TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError._INVALID_ARG,
        KafkaError.POLICY_VIOLATION,
    }
)
"""Errors of a message that the broker will never accept."""

_delivered: PerProcess[tuple[OutboxTopic, str], set[int]] = PerProcess(lambda _: set())
"""By split, the rows that the topic has of a commit that failed afterwards: they need only a mark."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One row of the outbox."""

    id: int
    message: Message


@dataclass(frozen=True, slots=True)
class OutboxTopic:
    """A topic, which must exist. Implements ``transforms.settle.write.Sink`` for rows of the outbox.

    Attributes:
        queue: The outbox in which published rows are marked.
        brokers: Bootstrap servers.
        topic: The name of the topic.
        config: Settings of librdkafka; secrets as references (``kafka_config.parse``).
        timeout: Seconds within which all in-sync replicas must acknowledge a message.
    """

    queue: SqlOutboxQueue
    brokers: str
    topic: str
    config: Config = ()
    timeout: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", kafka_config.checked(self.config))

    @property
    def producer(self) -> KafkaProducer:
        """This process's producer for the cluster."""
        return producer(self.brokers, self.config, self.timeout)

    def check(self) -> None:
        """Check every setting, that a broker answers, and that the topic exists.

        Raises:
            ConfigError: One of them is wrong, or the cluster refuses the credentials.
            SinkUnavailable: No answer.
        """
        self.producer.check_topic(self.topic)

    def check_read(self, ledger: Ledger) -> None:
        """Do nothing: the outbox itself says what is published, so no ledger is asked."""

    def begin(self) -> None:
        """Do nothing: the lease of a publisher shows that it lives."""

    def job_of(self, failure: Failure) -> None:
        """Nothing: a change that cannot be published is not a failed record."""

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        """Yes: any rows can be published."""
        return True

    def finish(self) -> None:
        """Do nothing: each commit is all that there is to it."""

    def in_flight(self) -> int:
        """One: a topic has the changes in their order."""
        return 1

    def footprint(self, batches: Sequence[RecordBatch]) -> None:
        """Nothing: each publisher has partitions of its own."""

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Turn | None = None,
    ) -> list[Settled]:
        """Produce every row, wait for the report of each, then mark the rows as published.

        Raises:
            SinkUnavailable: The brokers or the database cannot be reached. What the topic already
                has is not produced again if this process calls again.
            Contention: The database asks for another try.
            SinkFailed: The cluster refuses, or the broker will never accept a message.
        """
        for split in dict.fromkeys(batch.span.partition for batch in batches):
            changes = [
                _Change(id_, Message(key, raw or None, headers))  # of a delete: no value
                for batch in batches
                if batch.span.partition == split
                for id_, key, raw, headers in zip(
                    batch.offsets, batch.keys or (), batch.raws, batch.headers or (), strict=True
                )
            ]
            self._publish(split, changes)
        return [
            Settled(
                span=batch.span,
                counts=Counts(read=batch.read, inserted=batch.read),
                raw_bytes=batch.raw_bytes,
            )
            for batch in batches
        ]

    def _publish(self, split: str, changes: Sequence[_Change]) -> None:
        before = _delivered.pop((self, split)) or set()
        done = before.intersection(change.id for change in changes)
        try:
            rest = [change for change in changes if change.id not in done]
            errors = self.producer.deliver(self.topic, (change.message for change in rest))
            done.update(_delivered_in_order(rest, errors))
            if any(error.code() in _UNSENDABLE for error in errors.values()):
                errors = self._send_one_by_one(rest, done)
            if not errors:
                self.queue.mark([change.id for change in changes])
                return
            fatal = self._permanent_failure(rest, errors)
            if fatal is not None:
                self.queue.mark(sorted(done))
                raise fatal
            raise self._unavailable(next(iter(errors.values())))
        except Exception:
            # Any error is raised again, but the next try must not send what the topic has.
            _delivered.get((self, split)).update(done)
            raise

    def _send_one_by_one(self, changes: Sequence[_Change], done: set[int]) -> dict[int, KafkaError]:
        """Send one by one the changes that are not ``done``, and add to ``done`` what succeeds.

        A request fails as a whole, so one bad message also fails those that were sent with it.

        Returns:
            The errors of the changes that failed again, by index.
        """
        errors: dict[int, KafkaError] = {}
        failed: set[bytes | None] = set()
        for index, change in enumerate(changes):
            if change.id in done or change.message.key in failed:
                continue
            error = self.producer.deliver(self.topic, [change.message]).get(0)
            if error is None:
                done.add(change.id)
                continue
            errors[index] = error
            failed.add(change.message.key)
            if error.code() not in _UNSENDABLE:
                break
        return errors

    def _permanent_failure(
        self, changes: Sequence[_Change], errors: Mapping[int, KafkaError]
    ) -> SinkFailed | None:
        """The first error that waiting does not repair, or None."""
        for index, error in sorted(errors.items()):
            if error.code() in _UNSENDABLE:
                return self._unsendable(changes[index], error)
            refusal = self.producer.refusal(self.topic, error)
            if refusal is not None:
                return refusal
        return None

    def _unsendable(self, change: _Change, error: KafkaError) -> SinkFailed:
        size = len(change.message.value or b"")
        remedy = (
            "raise the topic's max.message.bytes (and, above 32 MiB, --kafka_config "
            "message.max.bytes=N)"
            if error.code() == _TOO_LARGE
            else "correct the topic's settings"
        )
        return SinkFailed(
            f"row {change.id} of ingest_outbox ({size:,} bytes) cannot be published on "
            f"{self.topic}: {text_of(error)}; {remedy}, or delete the row to leave it out; later "
            "changes of its key wait for it"
        )

    def _unavailable(self, error: KafkaError) -> SinkUnavailable:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.producer.abandon()  # useless from now on
        return SinkUnavailable(f"cannot reach Kafka at {self.brokers}: {text_of(error)}")


def _delivered_in_order(changes: Sequence[_Change], errors: Mapping[int, KafkaError]) -> set[int]:
    """The changes that were delivered, without those behind a failed change of their key.

    The latter are sent again after it, so that the last message of each key is its last change.
    """
    failed: set[bytes | None] = set()
    done = set()
    for index, change in enumerate(changes):
        if index in errors:
            failed.add(change.message.key)
        elif change.message.key not in failed:
            done.add(change.id)
    return done
