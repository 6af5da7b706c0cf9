"""Kafka topics as a source, through librdkafka: no JVM, no group membership, no silent reset."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from confluent_kafka import Consumer, KafkaError, KafkaException

from clients.kafka import config as kafka_config
from clients.kafka.config import Config, consumer_settings
from clients.kafka.errors import setting_text
from clients.kafka.log import LOGGER
from sources.kafka.cluster import Cluster, cluster
from sources.kafka.discovery import Discovery
from sources.kafka.fair.pace import Pace
from sources.kafka.fair.reader import FairReader
from sources.kafka.fair.tenants import tenants_of
from sources.kafka.fair.window import Bounds, Window
from sources.kafka.fetch import Fetcher
from sources.kafka.guard import Guard
from sources.kafka.messages.batches import Tombstones
from sources.kafka.messages.elements import MessageCutter
from sources.kafka.progress import Committer, Follower
from sources.kafka.reader import KafkaReader
from sources.kafka.starts import Starts
from sources.kafka.uri import Address, parse
from transforms.batch.coverage import Ledger
from transforms.batch.expected import ExpectedFields
from transforms.batch.splits import BatchLimits, Position, Split
from transforms.errors import ConfigError, SinkUnavailable, SourceUnavailable
from transforms.settle.acknowledge import ACKNOWLEDGERS

MOST_SPLITS = 128
"""Splits are the keys of Flink's state, which has this many key groups by default (its smallest
``--max_parallelism``): with more splits, no more subtasks could read."""


MissingTopic = Literal["wait", "fail"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """Topics by name or by pattern, read up to the ends seen at the start, or forever.

    Attributes:
        uri: ``kafka://host:port[,host:port]/topic[,topic…]`` or ``/^pattern``, with
            ``?group=``, ``start=earliest|latest|offset:N|timestamp:TIME``,
            ``until=latest``,
            ``tombstones=dead|ignore`` and ``splits=n``.
        config: Settings of librdkafka; secrets as references (``kafka_config.parse``).
        streaming: Read forever; otherwise stop at the ends seen at the start.
        limits: Bounds of what one poll returns.
        outage_budget: Seconds without any broker after which the run fails.
        answer_timeout: Seconds within which a broker must answer a question.
        discovery_interval: Seconds between two looks for new partitions and topics.
        idle_seconds: A partition with nothing to read for this long does not hold back the
            watermark.
        parallel: Whether splits are read side by side.
        most_splits: The most splits, where ``uri`` does not say how many.
        split_count: How many splits share the partitions if ``uri`` does not say.
        messages: What a message holds other than one JSON object; None for that.
        missing_topic: While streaming, whether to wait for a topic that ``uri`` names and that does
            not exist (``wait``), at the start or later, or to end the run (``fail``). A read that
            ends always fails.
        fair: What names the tenants that take turns (``sources.kafka.fair``): a field at the top of
            each message, or ``@key``; empty to read in the order of the offsets.
        tombstones: Whether a message without a value is a record without bytes, for steps that know
            what to do with it, unless ``uri`` says what becomes of it.
        looks: Whether it is only looked at: the group is not told what is settled.
        from_start: Whether it begins at the first offset, whatever ``uri`` and the group say.
    """

    uri: str
    config: Config = ()
    streaming: bool = False
    limits: BatchLimits = BatchLimits()  # noqa: RUF009 - frozen
    outage_budget: float = 300.0
    answer_timeout: float = 10.0
    discovery_interval: float = 10.0
    idle_seconds: float = 5.0
    parallel: bool = False
    most_splits: int = MOST_SPLITS
    split_count: int = 1
    messages: MessageCutter | None = None
    missing_topic: MissingTopic = "wait"
    fair: str = ""
    tombstones: bool = False
    looks: bool = False
    from_start: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "config", kafka_config.checked(self.config))
        for name in ("answer_timeout", "discovery_interval", "idle_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be greater than 0, got {getattr(self, name)}")
        if self.address.until is not None and self.streaming:
            raise ConfigError(f"until=latest in {self.uri} contradicts --streaming")

    @property
    def address(self) -> Address:
        """The parsed ``uri``."""
        address = parse(self.uri)
        return replace(address, group=None, start="earliest") if self.from_start else address

    def aside(self, *, from_start: bool) -> KafkaSource:
        """The same topics, of which the group is told nothing; see ``Followed``."""
        return replace(self, looks=True, from_start=from_start)

    @property
    def cluster(self) -> Cluster:
        """This process's connection to the cluster."""
        return cluster(self.address.brokers, self.config, self.answer_timeout)

    def check(self) -> None:
        """Check every setting, that a broker answers, and that there is something to read."""
        self._consumer(lambda error: None).close()
        address = self.address
        topics = self.cluster.topics(address)
        if topics.missing and not (self.streaming and self.missing_topic == "wait"):
            raise ConfigError(
                f"no topic {', '.join(topics.missing)} at {address.brokers}; create it first"
            )
        if self.parallel:  # a reader elsewhere says it there
            for topic in topics.missing:
                line = "topic %s does not exist; waiting for it"
                _log.warning(line, topic, extra={"source": f"kafka://{topic}"})
        if not topics.labels and not self.streaming:
            raise ConfigError(f"no topic at {address.brokers} matches {address.topic_text}")
        if address.group and topics.labels:
            self.cluster.committed([next(iter(topics.labels))], address.group)

    @property
    def open_ended(self) -> bool:
        """Yes: a partition of a topic has no end."""
        return True

    @property
    def holds_several(self) -> bool:
        """Whether ``messages`` says so."""
        return self.messages is not None and self.messages.several

    def expecting(self, fields: ExpectedFields) -> KafkaSource:
        """This source: messages name their fields."""
        return self

    def fixed(self) -> KafkaSource:
        """The same source with as many splits as there are partitions now, where many are read
        side by side and ``uri`` does not say how many; ``most_splits`` at most.

        Called where the job is submitted: a split's name is the key of its state, so that the
        number must not change with the partitions while a job or a savepoint of it lives.

        Raises:
            ConfigError: The cluster refuses the credentials, or the right to look.
            SourceUnavailable: No broker answers.
        """
        if not self.parallel or self.address.splits is not None:
            return self
        partitions = len(self.cluster.topics(self.address).labels)
        return replace(self, split_count=min(max(partitions, 1), self.most_splits))

    def owns(self, source: str) -> bool:
        """Whether ``source`` is ``kafka://TOPIC`` and that topic is read here."""
        return self.address.owns(source)

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        """Split ``i/n`` reads every partition ``p`` with ``p % n == i``, new ones included."""
        count = self.address.splits or self.split_count
        for index in range(count):
            yield Split(self.uri, f"{index}/{count}", size=self._size(index, count, ledger))

    def open(self, split: Split, position: Position, ledger: Ledger) -> KafkaReader | FairReader:
        """A reader of ``split`` that begins at ``position``; I/O begins with its first poll."""
        reader = self._reader(split, position, ledger)
        if not self.fair:
            return reader
        bounds = Bounds()
        window, pace = Window(tenants_of(self.fair), bounds), Pace(bounds.records)
        return FairReader(reader, window, pace, streaming=self.streaming)

    def _reader(self, split: Split, position: Position, ledger: Ledger) -> KafkaReader:
        index, _, count = split.name.partition("/")
        fetcher = Fetcher(self._consumer, self.limits, self.address.group)
        return KafkaReader(
            guard=Guard(fetcher, self.cluster.ids),
            starts=self._starts(int(index), int(count), ledger, position),
            discovery=Discovery(self.discovery_interval, self.outage_budget),
            idle_seconds=self.idle_seconds,
            cut=None if self.messages is None else self.messages.cut,
            follower=self._follower(ledger),
            stop_if_missing=self.missing_topic == "fail",
            tombstones=self._tombstones,
        )

    @property
    def _tombstones(self) -> Tombstones:
        if self.tombstones and not self.address.names_tombstones:
            return "keep"
        return "ignore" if self.address.ignore_tombstones else "dead"

    def acknowledger(self) -> Committer | None:
        """Commits to the group of ``uri``, if it names one, how far its topics are settled.

        Offsets go out in the background, at most once a second for each process and group, never
        ahead of what is settled. One that cannot be committed is a warning.
        """
        group = self.address.group
        if not group:
            return None
        return Committer(lambda offsets: self.cluster.commit(offsets, group), group)

    def _follower(self, ledger: Ledger) -> Follower | None:
        if self.looks:
            return None
        committer = ACKNOWLEDGERS.get(self)
        return Follower(ledger, committer.renew) if isinstance(committer, Committer) else None

    def _starts(self, index: int, count: int, ledger: Ledger, position: Position = ()) -> Starts:
        return Starts(
            cluster=self.cluster,
            address=self.address,
            index=index,
            of=count,
            bounded=not self.streaming,
            ledger=ledger,
            position=position,
        )

    def _size(self, index: int, count: int, ledger: Ledger) -> int:
        """How many offsets a bounded split has left, an estimate; 0 if nobody answers."""
        if self.streaming:
            return 0
        try:
            look = self._starts(index, count, ledger).look({}, (), first=True)
        except (SourceUnavailable, SinkUnavailable):
            return 0
        return sum(new.partition.backlog for new in look.new)

    def _consumer(self, on_error: Callable[[KafkaError], None]) -> Consumer:
        address = self.address
        settings = consumer_settings(address.brokers, self.config, address.group)
        try:
            return Consumer({**settings, "error_cb": on_error, "logger": LOGGER})
        except KafkaException as error:
            raise ConfigError(setting_text(error.args[0])) from error
