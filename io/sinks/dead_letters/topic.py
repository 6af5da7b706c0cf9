"""Dead letters on a Kafka topic: the message as it was, with Kafka Connect's headers."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from confluent_kafka import KafkaError

from clients.kafka import config as kafka_config
from clients.kafka.config import Config
from clients.kafka.errors import text_of
from clients.kafka.producer import KafkaProducer, Message, producer
from sinks.dead_letters.headers import PREFIX, TRUNCATED, appended, error_headers, taken_names
from transforms.batch.record import Failure
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable
from transforms.per_process import PerProcess

_log = logging.getLogger(__name__)

_SEND_ALONE = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.INVALID_RECORD,
        KafkaError._INVALID_DIFFERENT_RECORD,
    }
)
"""A request fails as a whole, so the message itself may be sound: it is sent again alone."""

_MAY_PASS = frozenset(
    {
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._RESOLVE,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._PURGE_QUEUE,
        KafkaError._PURGE_INFLIGHT,
        KafkaError._RETRY,
        KafkaError._STATE,
        KafkaError._FATAL,
    }
)
"""Errors of the client after which another attempt may succeed; errors of brokers say so."""


class Cut(IntEnum):
    """What is left out, step by step, of a message that the broker calls too large."""

    NOTHING = 0
    STACK = 1
    VALUE = 2
    ALL_BUT_ERROR = 3


@dataclass(frozen=True, slots=True)
class DeadLetterTopic:
    """A topic, which must exist unless the brokers create topics by themselves.

    A message's timestamp is the record's event time, and retention by time counts from there:
    the broker soon deletes the dead letter of a record older than ``retention.ms``, unless the
    topic has ``message.timestamp.type=LogAppendTime`` or ``retention.ms=-1``.

    Attributes:
        brokers: Bootstrap servers.
        topic: Name of the topic.
        config: Settings of librdkafka; secrets as references (``kafka_config.parse``).
        timeout: Seconds within which all in-sync replicas must acknowledge a message.
    """

    brokers: str
    topic: str
    config: Config = ()
    timeout: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", kafka_config.checked(self.config))
        if not self.timeout >= 1:
            raise ConfigError(f"the time-out must be 1 second or more, got {self.timeout:g}")

    @property
    def producer(self) -> KafkaProducer:
        """This process's producer for the cluster."""
        return producer(self.brokers, self.config, self.timeout)

    @property
    def writes_to(self) -> str:
        """The name under which a source would read the dead letters."""
        return f"kafka://{self.topic}"

    def check(self) -> None:
        """Check every setting, that a broker answers, and that the topic exists.

        Raises:
            ConfigError: One of them is wrong, or the cluster refuses the credentials.
            SinkUnavailable: No answer.
        """
        self.producer.check_topic(self.topic)

    def deliver(self, target: str, failures: Sequence[Failure]) -> None:
        """Produce a message for each of ``failures``; returns once all are acknowledged."""
        if not failures:
            return
        _warn_of_taken_names(failures)
        errors = self.producer.deliver(
            self.topic, (kafka_message(target, failure) for failure in failures)
        )
        for error in errors.values():
            if error.code() not in _SEND_ALONE:
                raise self._failed(error)
        for index in sorted(errors):
            self._deliver_alone(target, failures[index])

    def _deliver_alone(self, target: str, failure: Failure) -> None:
        """Deliver one message; if the broker refuses it, as much of it as the broker takes."""
        cut, timed = Cut.NOTHING, True
        while True:
            message = kafka_message(target, failure, cut, timed=timed)
            error = self.producer.deliver(self.topic, [message]).get(0)
            if error is None:
                return
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE and cut < max(Cut):
                cut = Cut(cut + 1)
            elif error.code() == KafkaError.INVALID_TIMESTAMP and timed:
                timed = False  # further ahead of the broker's clock than it allows
            else:
                raise self._failed(error)

    def _failed(self, error: KafkaError) -> SinkFailed | SinkUnavailable:
        refusal = self.producer.refusal(self.topic, error)
        if refusal is not None:
            return refusal
        code, text = error.code(), text_of(error)
        if error.fatal() or code == KafkaError._FATAL:
            self.producer.abandon()  # useless from now on
        if error.fatal() or error.retriable() or code in _MAY_PASS:
            return SinkUnavailable(f"cannot reach Kafka at {self.brokers}: {text}")
        return SinkFailed(f"Kafka at {self.brokers} takes no dead letters on {self.topic}: {text}")


def kafka_message(
    target: str, failure: Failure, cut: Cut = Cut.NOTHING, *, timed: bool = True
) -> Message:
    """The message for ``failure``.

    Args:
        target: The table that the record was meant for.
        failure: The dead letter.
        cut: What to leave out because the broker calls the message too large.
        timed: Whether its timestamp is the event time.
    """
    value = None if failure.category == "tombstone" else failure.raw
    key, original = failure.key, failure.headers
    errors = error_headers(target, failure, task=str(os.getpid()))
    if cut >= Cut.STACK:
        errors = tuple(header for header in errors if header[0] != f"{PREFIX}exception.stacktrace")
    left_out = 0
    if cut >= Cut.VALUE:
        left_out += len(value or b"")
        value = None
    if cut >= Cut.ALL_BUT_ERROR:
        left_out += len(key or b"")
        left_out += sum(len(name.encode()) + len(each or b"") for name, each in original)
        key, original = None, ()
    if cut >= Cut.VALUE:
        errors = (*errors, (TRUNCATED, str(left_out).encode()))
    # Kafka has no times before 1970, and the client takes 0 as the present time.
    has_time = timed and failure.event_time is not None and failure.event_time >= 0.001
    milliseconds = round(1000 * (failure.event_time or 0)) if has_time else None
    return Message(key, value, appended(original, errors), milliseconds)


OCCURRENCES = PerProcess[str, Iterator[int]](lambda name: itertools.count())
"""By name of an error header, counts the deliveries of this process where a message had it already."""


def _warn_of_taken_names(failures: Sequence[Failure]) -> None:
    """Warn, once for each process and name, that a message already had an error header."""
    taken = {name for failure in failures for name in taken_names(failure.headers)}
    unseen = [name for name in sorted(taken) if next(OCCURRENCES.get(name)) == 0]
    if unseen:
        _log.warning(
            "headers kept as they were in dead letters: %s",
            ", ".join(unseen),
            extra={"source": failures[0].origin.source},
        )
