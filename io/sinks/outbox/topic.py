"""The outbox on a Kafka topic: every change at least once, those of one key in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError

from clients.kafka import config as kafka_config
from clients.kafka.config import Config
from clients.kafka.errors import GONE, REFUSED, text_of
from clients.kafka.producer import KafkaProducer, Message, producer
from sinks.outbox.queue import SqlOutboxQueue
from transforms.batch.counts import Counts
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable
from transforms.per_process import PerProcess
from transforms.settle.write import Settled

_TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE
_NEVER = frozenset(
    {
        _TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError._INVALID_ARG,
        KafkaError.POLICY_VIOLATION,
    }
)
"""The broker does not take this message, whenever it is sent."""

_delivered: PerProcess[tuple[OutboxTopic, str], set[int]] = PerProcess(lambda _: set())
"""By split, what the topic has of a commit that failed after that: it is only marked then."""


@dataclass(frozen=True, slots=True)
class _Change:
    """One row of the outbox."""

    id: int
    message: Message


@dataclass(frozen=True, slots=True)
class OutboxTopic:
    """A topic, which must exist. Implements ``transforms.settle.write.Sink`` for rows of the outbox.

    Attributes:
        queue: Where what is published is marked.
        brokers: Bootstrap servers.
        topic: Its name.
        config: Settings of librdkafka; secrets as references (``kafka_config.parse``).
        timeout: Seconds within which a message must be acknowledged by all replicas in sync.
    """

    queue: SqlOutboxQueue
    brokers: str
    topic: str
    config: Config = ()
    timeout: float = 30.0

    def __post_init__(self) -> None:
        kafka_config.refuse_reserved(self.config)

    @property
    def producer(self) -> KafkaProducer:
        """This process's producer for the cluster."""
        return producer(self.brokers, self.config, self.timeout)

    def check(self) -> None:
        """Check every setting, that a broker answers, and that there is the topic.

        Raises:
            ConfigError: One of them is wrong, or the cluster refuses the credentials.
            SinkUnavailable: No answer.
        """
        if self.topic not in self.producer.topics():
            raise ConfigError(f"no topic {self.topic} at {self.brokers}; create it first")

    def check_read(self, ledger: Ledger) -> None:
        """Nothing: what is published is marked in the outbox, and no ledger is asked."""

    def commit(self, batches: Sequence[RecordBatch], *, isolate: bool = False) -> list[Settled]:
        """Produce every row, await the report of each, then mark them.

        Raises:
            SinkUnavailable: The brokers or the database cannot be reached; what the topic has
                already is not produced again when this process calls again.
            Contention: The database asks for another try.
            SinkFailed: The cluster refuses, or a message can never be sent.
        """
        for split in dict.fromkeys(batch.span.partition for batch in batches):
            changes = [
                _Change(id_, Message(key, raw, headers))
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
            left = [change for change in changes if change.id not in done]
            errors = self.producer.deliver(self.topic, (change.message for change in left))
            done.update(_in_order(left, errors))
            if any(error.code() in _NEVER for error in errors.values()):
                errors = self._alone(left, done)
            if not errors:
                self.queue.mark([change.id for change in changes])
                return
            fatal = self._refusal(left, errors)
            if fatal is not None:
                self.queue.mark(sorted(done))
                raise fatal
            raise self._away(next(iter(errors.values())))
        except Exception:
            # Whatever it is, it is raised again; a next try must not send what is there.
            _delivered.get((self, split)).update(done)
            raise

    def _alone(self, changes: Sequence[_Change], done: set[int]) -> dict[int, KafkaError]:
        """Send one by one what is not ``done``; adds to it and returns what still fails.

        A request fails as a whole, so that one message fails those that were sent with it.
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
            if error.code() not in _NEVER:
                break
        return errors

    def _refusal(
        self, changes: Sequence[_Change], errors: Mapping[int, KafkaError]
    ) -> SinkFailed | None:
        """The first error that waiting does not mend."""
        for index, error in sorted(errors.items()):
            code = error.code()
            if code in _NEVER:
                return self._never(changes[index], error)
            if code in GONE:
                self.producer.abandon()  # it would go on thinking so
                return SinkFailed(f"no topic {self.topic} at {self.brokers}; create it")
            if code in REFUSED:
                return SinkFailed(
                    f"Kafka at {self.brokers} refuses to write {self.topic}: {text_of(error)}"
                )
        return None

    def _never(self, change: _Change, error: KafkaError) -> SinkFailed:
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

    def _away(self, error: KafkaError) -> SinkUnavailable:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self.producer.abandon()  # of no use any more
        return SinkUnavailable(f"cannot reach Kafka at {self.brokers}: {text_of(error)}")


def _in_order(changes: Sequence[_Change], errors: Mapping[int, KafkaError]) -> set[int]:
    """What was delivered, but what stands behind a failed change of its key: that comes again."""
    failed: set[bytes | None] = set()
    done = set()
    for index, change in enumerate(changes):
        if index in errors:
            failed.add(change.message.key)
        elif change.message.key not in failed:
            done.add(change.id)
    return done
