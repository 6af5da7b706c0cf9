"""Ask a cluster about its topics, their partitions and their offsets."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not declared as exported
    AdminClient,
    OffsetSpec,
)

from clients.kafka.config import Config, admin_settings, consumer_settings
from clients.kafka.errors import GONE, LOST, OCCUPIED, refuses, setting_text, text_of
from clients.kafka.listener import FirstContact
from clients.kafka.log import LOGGER
from clients.kafka.metadata import all_topics
from sources.kafka.label import id_of, same_partition
from sources.kafka.uri import Address
from transforms.batch.backoff import Backoff, Outage
from transforms.errors import ConfigError, SourceUnavailable
from transforms.per_process import PerProcess

Place = tuple[str, int]
"""A topic and the number of one of its partitions."""

Fingerprint = tuple[int, bytes | None, bytes | None]
"""Time, key and value of a message."""

_BACKOFF = Backoff(base=0.2, cap=2.0)

_MOVING = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
"""A group has no coordinator for a moment, after its broker started or leaders changed."""

_EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]

_MOCK = "mockCluster"
"""librdkafka's own cluster for tests, which has no controller to ask for topic ids."""

_NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"  # sixteen zero bytes: a broker before 2.8 has no topic ids


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of an address that exist.

    Attributes:
        labels: The label of each partition: ``P@TOPIC_ID``, or ``P`` if the broker gives no
            id. A topic that was deleted and created again has another id, so that its offsets
            are not taken for the old ones.
        missing: Topics of the address that do not exist.
    """

    labels: Mapping[Place, str]
    missing: tuple[str, ...] = ()

    @property
    def ids(self) -> dict[str, str]:
        """The id of each topic; empty if the broker gives none."""
        return {topic: id_of(label) for (topic, _), label in self.labels.items()}

    def has(self, place: Place, label: str) -> bool:
        """Whether the partition at ``place`` may still be the one called ``label``."""
        present = self.labels.get(place)
        return present is not None and same_partition(label, present)


class Cluster:
    """The clients of a process for one cluster; safe to use from several threads.

    Every method is bounded by ``timeout`` seconds and raises:
        ConfigError: The cluster refuses the credentials, or permission to look.
        SourceUnavailable: No answer.
    """

    def __init__(self, brokers: str, config: Config, timeout: float) -> None:
        self._brokers = brokers
        self._config = config
        self._timeout = timeout
        self._consumers = PerProcess(self._group_consumer)
        self._refused: KafkaError | None = None
        self._trouble: KafkaError | None = None
        self._contact = FirstContact(brokers, config)
        self._all_down = False
        self._mock: bool | None = None
        self._uncommitted = dict(config).get("isolation.level") == "read_uncommitted"
        settings = admin_settings(brokers, config)
        self._admin = _admin_client({**settings, "error_cb": self._on_error, "logger": LOGGER})

    def topics(self, address: Address) -> Topics:
        """The partitions of the topics of ``address`` that exist now."""
        if self._mock is False and address.pattern is None:
            return self._described(address, address.topics)
        metadata = self._metadata()
        self._mock = str(metadata.cluster_id).startswith(_MOCK)
        names = [name for name in metadata.topics if address.matches(name)]
        if not self._mock:
            # A topic that may not be read is not listed; asked for by name, the broker says why.
            return self._described(address, address.topics or names)
        labels = {
            (name, number): str(number)
            for name in names
            for number in metadata.topics[name].partitions
        }
        return Topics(labels, _missing(address, names))

    def ids(self, topics: Collection[str]) -> dict[str, str]:
        """The present id of each of ``topics``; topics that do not exist are absent."""
        described = self._descriptions(topics)
        return {name: _plain_id(str(each.topic_id)) for name, each in described.items()}

    def records(self, place: Place, start: int, end: int) -> dict[int, Fingerprint]:
        """The messages that a partition has now from ``start`` to ``end``, by offset."""
        consumer = self._group_consumer(None)
        fingerprints: dict[int, Fingerprint] = {}
        deadline = time.monotonic() + self._timeout
        try:
            consumer.assign([TopicPartition(*place, start)])
            while time.monotonic() < deadline:
                for message in consumer.consume(1_000, 0.1):
                    problem = message.error()
                    if problem is None:
                        fingerprints[int(message.offset() or 0)] = fingerprint(message)
                    elif problem.code() == KafkaError._PARTITION_EOF or problem.code() in LOST:
                        return fingerprints  # this is all of it
                if fingerprints and max(fingerprints) >= end - 1:
                    return fingerprints
        finally:
            consumer.close()
        raise self._silent()

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """For each partition its first offset, and the one after its last committed message."""
        places = list(places)
        low = self._offsets(dict.fromkeys(places, _EARLIEST))
        high = self._offsets(dict.fromkeys(places, _LATEST))
        return {place: (low[place], high[place]) for place in places}

    def retained(self, address: Address) -> dict[tuple[str, str], tuple[int, int]]:
        """The first offset of each partition that still exists, and its end, by source and label."""
        labels = self.topics(address).labels
        bounds = self.bounds(labels)
        return {(f"kafka://{place[0]}", label): bounds[place] for place, label in labels.items()}

    def log_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """For each partition the offset after its last message, committed or not."""
        return self._offsets(dict.fromkeys(places, _LATEST), committed=False)

    def offsets_at_time(self, places: Iterable[Place], milliseconds: int) -> dict[Place, int]:
        """For each partition the first offset at or after a time; -1 if there is none."""
        return self._offsets(dict.fromkeys(places, OffsetSpec.for_timestamp(milliseconds)))

    def committed(self, places: Iterable[Place], group: str) -> dict[Place, int]:
        """The offsets that ``group`` has committed; partitions without one are absent."""
        partitions = [TopicPartition(topic, number) for topic, number in places]
        answers = self._coordinated(
            group, lambda consumer: consumer.committed(partitions, timeout=self._timeout)
        )
        return {(each.topic, each.partition): each.offset for each in answers if each.offset >= 0}

    def commit(self, offsets: Mapping[Place, int], group: str) -> None:
        """Set the offsets of ``group``, which must have no members of its own.

        Waits as long as no broker is there, so call it on a thread of its own.
        """
        partitions = [TopicPartition(topic, number, at) for (topic, number), at in offsets.items()]
        answers = self._coordinated(
            group, lambda consumer: consumer.commit(offsets=partitions, asynchronous=False)
        )
        for answer in answers or ():
            if answer.error is not None:
                raise self._failed(KafkaException(answer.error))

    def _coordinated(self, group: str, call: Callable[[Consumer], Any]) -> Any:
        """Ask the coordinator of ``group``, waiting until there is one.

        Uses a consumer that joins no group: the admin client's questions to a coordinator
        abort the process if the broker goes away meanwhile (confluentinc/librdkafka#5397).
        """
        outage = Outage(_BACKOFF, self._timeout, service="kafka", routine=True)
        while True:
            try:
                return call(self._consumer(group))
            except KafkaException as error:
                self._consumer(group)  # reports a refused group
                if error.args[0].code() in OCCUPIED:
                    raise ConfigError(
                        f"group {group} of {self._brokers} has members of its own, which alone may "
                        "commit its offsets; name a group that nothing else uses"
                    ) from error
                if error.args[0].code() not in _MOVING or not outage.wait():
                    raise self._failed(error) from error

    def _consumer(self, group: str) -> Consumer:
        """The consumer that speaks for ``group``, made at the first call; it reads nothing."""
        consumer = self._consumers.get(group)
        # Serves its callbacks; without an assignment it gets errors only, no messages.
        while (message := consumer.poll(0)) is not None:
            problem = message.error()
            if problem is not None:
                self._on_error(problem)
        return consumer

    def _group_consumer(self, group: str | None) -> Consumer:
        settings = consumer_settings(self._brokers, self._config, group)
        return Consumer({**settings, "error_cb": self._on_error, "logger": LOGGER})

    def _metadata(self) -> Any:
        self._all_down = False
        metadata = self._call(lambda: all_topics(self._admin, self._timeout, self._is_hopeless))
        self._contact.answered()
        self._refused = self._trouble = None
        return metadata

    def _described(self, address: Address, names: Sequence[str]) -> Topics:
        if not names:
            return Topics({})
        described = self._descriptions(names)
        labels: dict[Place, str] = {}
        for name, description in described.items():
            topic_id = _plain_id(str(description.topic_id))
            suffix = f"@{topic_id}" if topic_id else ""
            for partition in description.partitions:
                labels[name, partition.id] = f"{partition.id}{suffix}"
        return Topics(labels, _missing(address, described))

    def _descriptions(self, names: Collection[str]) -> dict[str, Any]:
        """The cluster's description of each topic that exists."""
        futures = self._call(
            lambda: self._admin.describe_topics(
                TopicCollection(list(names)), request_timeout=self._timeout
            )
        )
        answers = {name: self._result(each, ignore=GONE) for name, each in futures.items()}
        return {name: each for name, each in answers.items() if each is not None}

    def _offsets(self, specs: Mapping[Place, Any], *, committed: bool = True) -> dict[Place, int]:
        if not specs:
            return {}
        level = (
            IsolationLevel.READ_COMMITTED
            if committed and not self._uncommitted
            else IsolationLevel.READ_UNCOMMITTED
        )
        request = {TopicPartition(topic, number): spec for (topic, number), spec in specs.items()}
        futures = self._call(
            lambda: self._admin.list_offsets(
                request, isolation_level=level, request_timeout=self._timeout
            )
        )
        return {
            (partition.topic, partition.partition): self._result(future).offset
            for partition, future in futures.items()
        }

    def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except KafkaException as error:
            raise self._failed(error) from error

    def _result(self, future: Future[Any], ignore: Collection[int] = ()) -> Any:
        """The cluster's answer; None for an error in ``ignore``."""
        try:
            return future.result(self._timeout + 1)
        except KafkaException as error:
            if error.args[0].code() in ignore:
                return None
            self._admin.poll(0)  # reports a refused login
            raise self._failed(error) from error
        except TimeoutError as error:
            raise self._silent() from error

    def _is_hopeless(self) -> bool:
        """Whether waiting for an answer is useless; whoever waits for an outage asks again."""
        if self._contact.pending and self._all_down and self._trouble is not None:
            return True
        return self._refused is not None or bool(self._contact.mismatch())

    def _on_error(self, error: KafkaError) -> None:
        if refuses(error):
            self._refused = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:  # which gives no reason
            self._all_down = True
        else:
            self._trouble = error

    def _failed(self, error: KafkaException) -> ConfigError | SourceUnavailable:
        mismatch = self._contact.mismatch()
        if mismatch:
            return ConfigError(f"Kafka does not answer: {mismatch}")
        reason = self._refused or error.args[0]
        if refuses(reason):
            return ConfigError(f"Kafka at {self._brokers} refuses: {text_of(reason)}")
        # A call says only that it failed; the connection has said why.
        reason = self._trouble or reason
        return SourceUnavailable(f"cannot reach Kafka at {self._brokers}: {text_of(reason)}")

    def _silent(self) -> SourceUnavailable:
        return SourceUnavailable(
            f"cannot reach Kafka at {self._brokers}: no answer within {self._timeout:g} s"
        )


# librdkafka's threads do not survive a fork: the parent's client would never answer a child.
_clusters = PerProcess[tuple[str, Config, float], Cluster](lambda key: Cluster(*key))


def cluster(brokers: str, config: Config, timeout: float) -> Cluster:
    """This process's connection to a cluster, made at the first call.

    Raises:
        ConfigError: A setting is unknown, wrong, or refers to a secret that is not there.
    """
    return _clusters.get((brokers, config, timeout))


def _admin_client(settings: dict[str, Any]) -> AdminClient:
    try:
        return AdminClient(settings)
    except KafkaException as error:
        raise ConfigError(setting_text(error.args[0])) from error


def _missing(address: Address, existing: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in address.topics if name not in existing)


def fingerprint(message: Message[bytes, bytes]) -> Fingerprint:
    """What tells a message from others that have had its offset."""
    return message.timestamp()[1], message.key(), message.value()


def _plain_id(topic_id: str) -> str:
    """The id as Kafka's own tools print it: base64 for URLs, without padding; empty for none."""
    plain = topic_id.rstrip("=")
    if plain == _NO_ID:
        return ""
    padded = plain + "=" * (-len(plain) % 4)
    return base64.urlsafe_b64encode(base64.b64decode(padded)).decode().rstrip("=")
