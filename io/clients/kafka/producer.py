"""The producer of a process for a cluster; it reports the outcome of every message."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from clients.kafka.config import Config, producer_settings
from clients.kafka.errors import GONE, REFUSED, refuses, setting_text, text_of
from clients.kafka.listener import FirstContact
from clients.kafka.log import LOGGER
from clients.kafka.metadata import all_topics
from transforms.batch.record import Headers
from transforms.errors import ConfigError, SinkFailed, SinkUnavailable
from transforms.per_process import PerProcess

ANSWER_SECONDS = 10.0
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 5.0
"""librdkafka looks for overdue messages once a second."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to produce.

    Attributes:
        key: Its key, or None.
        value: Its value; None makes it a tombstone.
        headers: Its headers, in order.
        milliseconds: Its timestamp since the epoch; None is the time of producing.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    milliseconds: int | None = None


class KafkaProducer:
    """An idempotent producer; safe to use from several threads.

    Args:
        brokers: Bootstrap servers.
        config: Settings of librdkafka; secrets as references.
        timeout: Seconds within which all in-sync replicas must acknowledge a message.

    Raises:
        ConfigError: A setting is unknown, wrong, or refers to a secret that does not exist.
    """

    def __init__(self, brokers: str, config: Config, timeout: float) -> None:
        self._brokers = brokers
        self._timeout = timeout
        self._key = (brokers, config, timeout)
        self._refused: KafkaError | None = None
        self._contact = FirstContact(brokers, config)
        settings = producer_settings(brokers, config, timeout)
        try:
            self._producer = Producer({**settings, "error_cb": self._on_error, "logger": LOGGER})
        except KafkaException as error:
            raise ConfigError(setting_text(error.args[0])) from error

    def topics(self) -> frozenset[str]:
        """The names of all topics of the cluster.

        Raises:
            ConfigError: The cluster refuses the credentials, or settings do not fit its listener.
            SinkUnavailable: No answer.
        """
        timeout = min(self._timeout, ANSWER_SECONDS)
        try:
            metadata = all_topics(self._producer, timeout, self._is_hopeless)
        except KafkaException as error:
            mismatch = self._contact.mismatch()
            if mismatch:
                self.abandon()
                raise ConfigError(f"Kafka does not answer: {mismatch}") from error
            if self._refused is not None:
                self.abandon()
                raise ConfigError(self._refusal(self._refused)) from error
            raise SinkUnavailable(self._away(text_of(error.args[0]))) from error
        self._contact.answered()
        return frozenset(metadata.topics)

    def check_topic(self, topic: str) -> None:
        """Check that a broker answers and that the topic exists.

        Raises:
            ConfigError: There is no such topic, or the cluster refuses the credentials.
            SinkUnavailable: No answer.
        """
        if topic not in self.topics():
            raise ConfigError(f"no topic {topic} at {self._brokers}; create it first")

    def deliver(self, topic: str, messages: Iterable[Message]) -> dict[int, KafkaError]:
        """Produce ``messages`` and wait for the outcome of each.

        Returns:
            The errors of messages that were not stored, by index.

        Raises:
            SinkUnavailable: No report within the time-out.
            SinkFailed: The cluster refuses the credentials.
        """
        reports: list[tuple[int, KafkaError | None]] = []
        sent = 0
        for index, message in enumerate(messages):
            self._produce(topic, message, index, reports)
            sent += 1
        deadline = time.monotonic() + self._timeout + _GRACE_SECONDS
        # Another thread's poll may serve these reports: then this one waits in vain, but not long.
        while len(reports) < sent:
            self._serve(deadline)
        return {index: error for index, error in reports if error is not None}

    def refusal(self, topic: str, error: KafkaError) -> SinkFailed | None:
        """What to raise if ``error`` means that nothing can be written to the topic, or None."""
        if error.code() in GONE:
            self.abandon()  # it would continue to believe so
            return SinkFailed(f"no topic {topic} at {self._brokers}; create it")
        if error.code() in REFUSED:
            return SinkFailed(
                f"Kafka at {self._brokers} refuses to write {topic}: {text_of(error)}"
            )
        return None

    def abandon(self) -> None:
        """Drop the messages that wait; the next ``producer`` of this process is a new one."""
        _producers.forget(self._key, self)
        self._producer.purge(blocking=False)

    def _produce(
        self, topic: str, message: Message, index: int, reports: list[tuple[int, KafkaError | None]]
    ) -> None:
        options: dict[str, Any] = {}
        if message.milliseconds is not None:
            options["timestamp"] = message.milliseconds

        def report(error: KafkaError | None, _: object) -> None:
            reports.append((index, error))

        deadline = time.monotonic() + self._timeout + _GRACE_SECONDS
        while True:
            try:
                self._producer.produce(
                    topic,
                    message.value,
                    message.key,
                    headers=list(message.headers),
                    on_delivery=report,
                    **options,
                )
            except BufferError:  # the queue is full: wait for reports
                self._serve(deadline)
            except KafkaException as error:
                reports.append((index, error.args[0]))
                return
            else:
                return

    def _serve(self, deadline: float) -> None:
        self._producer.poll(_POLL_SECONDS)
        if self._refused is not None:
            refused = self._refused
            self.abandon()
            raise SinkFailed(self._refusal(refused))
        if time.monotonic() > deadline:
            self.abandon()
            raise SinkUnavailable(self._away(f"no answer within {self._timeout:g} s"))

    def _is_hopeless(self) -> bool:
        return self._refused is not None or bool(self._contact.mismatch())

    def _on_error(self, error: KafkaError) -> None:
        if refuses(error):
            self._refused = error

    def _refusal(self, error: KafkaError) -> str:
        return f"Kafka at {self._brokers} refuses: {text_of(error)}"

    def _away(self, reason: str) -> str:
        return f"cannot reach Kafka at {self._brokers}: {reason}"


# librdkafka's threads do not survive a fork.
_producers = PerProcess[tuple[str, Config, float], KafkaProducer](lambda key: KafkaProducer(*key))


def producer(brokers: str, config: Config, timeout: float) -> KafkaProducer:
    """This process's producer for a cluster, made at the first call.

    Raises:
        ConfigError: A setting is unknown, wrong, or refers to a secret that does not exist.
    """
    return _producers.get((brokers, config, timeout))
