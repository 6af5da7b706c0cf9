"""A real Kafka broker: one KRaft node on 127.0.0.1 with folder and ports of its own.

    with KafkaBroker() as broker:
        broker.create_topic("events", partitions=2)
        broker.produce("events", [(b"key", b"value")])

It needs Java, and Maven once (``available()`` says what is missing).
"""

from __future__ import annotations

import atexit
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.services.kafka_jars import available, fetched_jars
from tests.services.process import ServiceProcess

__all__ = ["KafkaBroker", "Produced", "Topics", "available"]

Header = tuple[str, bytes | None]
Produced = (
    tuple[bytes | None, bytes | None]
    | tuple[bytes | None, bytes | None, int | None]
    | tuple[bytes | None, bytes | None, int | None, int | None]
    | tuple[bytes | None, bytes | None, int | None, int | None, list[Header] | None]
)
"""Key, value, partition, timestamp in milliseconds, headers; what is left out is the client's."""


class Topics(Protocol):
    """Creates topics of its own for a test (the fixture ``topic``)."""

    def __call__(self, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic of ``partitions`` partitions; returns its name, never used before."""
        ...


START_SECONDS = 90.0
STOP_SECONDS = 30.0
ADMIN_SECONDS = 30.0
DELIVERY_SECONDS = 120.0
LOG_TAIL = 4_000
MESSAGE_BYTES = 16 << 20

# Below the range that outgoing connections take their ports from: a client that reconnects
# to a dead broker's port could else be given that very port, and connect to itself.
PORTS = range(20_000, 32_000)

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(MESSAGE_BYTES),
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "100",
    # One node, so one replica of everything, and few internal partitions to load at start.
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # After a SIGKILL the controller refuses the next incarnation while the last one's session
    # lives (Kafka's default: 9 s).
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    # Retention and compaction within a test's patience; Kafka's own are minutes.
    "log.initial.task.delay.ms": "100",
    "log.retention.check.interval.ms": "200",
    "log.segment.delete.delay.ms": "100",
    "log.cleaner.backoff.ms": "100",
    "log.cleaner.dedupe.buffer.size": str(4 << 20),
}


@dataclass
class KafkaBroker:
    """A broker that keeps ports and data over stop, kill and start; its context ends it for good.

    Attributes:
        settings: Broker settings to add or to override.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    _folder: Path | None = field(default=None, init=False, repr=False)
    _port: int = field(default=0, init=False)
    _process: ServiceProcess | None = field(default=None, init=False, repr=False)
    _client: AdminClient | None = field(default=None, init=False, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        """Its ``bootstrap.servers``, the same after every start."""
        return f"127.0.0.1:{self._port}"

    @property
    def folder(self) -> Path:
        """Its own folder: settings, data and log.

        Raises:
            RuntimeError: It was never started, or is closed.
        """
        if self._folder is None:
            raise RuntimeError("the broker has no folder: call start() first")
        return self._folder

    @property
    def log(self) -> Path:
        """The file that holds all it printed, over every start."""
        return self.folder / "broker.log"

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.exit_status is None

    def start(self) -> None:
        """Start it and wait until it answers; nothing happens if it runs already.

        Raises:
            RuntimeError: It ended, or did not answer within ``START_SECONDS``; the end of its
                log is in the message.
        """
        if self.running:
            return
        jars = fetched_jars()
        if self._folder is None:
            self._prepare(jars)
        heap = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        settings = str(self.folder / "server.properties")
        command = [*_java(jars, *heap), "kafka.Kafka", settings]
        self._process = ServiceProcess(command, self.folder, self.log)
        self._client = AdminClient(
            # Its log would tell of every refused connection until the broker listens.
            {
                "bootstrap.servers": self.bootstrap,
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,
            }
        )
        try:
            self._await_answer()
        except RuntimeError:
            self.kill()
            raise

    def stop(self) -> None:
        """End it in good order (SIGTERM, and SIGKILL after ``STOP_SECONDS``); data stay."""
        self._client = None
        if self._process is not None:
            self._process.stop(STOP_SECONDS)

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would; data stay."""
        self._client = None
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """End it and delete its folder; may be called twice. ``start()`` then makes a new one."""
        atexit.unregister(self.close)
        self.kill()  # nobody will read its data again
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def create_topic(
        self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic and wait until every partition has a leader."""
        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
        self._admin.create_topics([topic])[name].result(ADMIN_SECONDS)
        self._await_partitions(name, partitions)

    def add_partitions(self, name: str, total: int) -> None:
        """Extend a topic to ``total`` partitions and wait until every one has a leader."""
        self._admin.create_partitions([NewPartitions(name, total)])[name].result(ADMIN_SECONDS)
        self._await_partitions(name, total)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until the broker knows it no more."""
        self._admin.delete_topics([name])[name].result(ADMIN_SECONDS)
        self._await_partitions(name, 0)

    def delete_records(self, topic: str, before: Mapping[int, int]) -> dict[int, int]:
        """Delete what lies before an offset, partition by partition.

        Args:
            topic: Its name.
            before: By partition, the first offset to keep; -1 deletes all there is.

        Returns:
            By partition, the low watermark.
        """
        asked = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
        answers = self._admin.delete_records(asked)
        return {
            each.partition: answer.result(ADMIN_SECONDS).low_watermark
            for each, answer in answers.items()
        }

    def produce(self, topic: str, messages: Iterable[Produced]) -> int:
        """Append ``messages`` in order, none lost and none twice; returns how many.

        Raises:
            RuntimeError: Messages were not delivered; how many, and the first one's error.
        """
        failed: list[KafkaError] = []

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 20,
                "batch.size": 1 << 20,
                "message.max.bytes": MESSAGE_BYTES,
                "message.timeout.ms": round(DELIVERY_SECONDS * 1000),
                "delivery.report.only.error": True,
                "on_delivery": on_delivery,
                "log_level": 0,
            }
        )
        sent = 0
        for message in messages:
            _send(producer, topic, message)
            sent += 1
            if sent % 1_000 == 0:
                producer.poll(0)  # frees what is delivered
                if failed:
                    break
        left = producer.flush(DELIVERY_SECONDS + 10)
        if failed or left:
            reason = failed[0].str() if failed else "no answer from the broker"
            raise RuntimeError(
                f"{len(failed) + left} of {sent} messages were not delivered to {topic} "
                f"at {self.bootstrap}: {reason}"
            )
        return sent

    @property
    def _admin(self) -> AdminClient:
        if self._client is None:
            raise RuntimeError("the broker is not running: call start() first")
        return self._client

    def _prepare(self, jars: Path) -> None:
        """Make the folder, choose the ports, write the settings, format the storage."""
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        atexit.register(self.close)
        self._port, controller = _free_ports(2)
        settings = {
            **SETTINGS,
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self._folder / "data"),
            **self.settings,
        }
        file = self._folder / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        # A leading zero byte, so that no option parser takes the id for an option.
        cluster = urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        tool = [*_java(jars, "-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool"]
        done = subprocess.run(
            [*tool, "format", "-t", cluster, "-c", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            self.close()
            raise RuntimeError(f"Kafka could not format its storage:\n{done.stdout[-LOG_TAIL:]}")

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            status = self._process.exit_status
            if status is not None:
                raise RuntimeError(f"the broker ended with {status}; {self._log_tail()}")
            answer: Any = self._admin.describe_cluster(request_timeout=1.0)
            try:
                if answer.result(5.0).nodes:
                    return
            except (KafkaException, TimeoutError):
                pass  # not yet; the request itself has waited
        raise RuntimeError(
            f"the broker did not answer at {self.bootstrap} within {START_SECONDS:.0f} s; "
            f"{self._log_tail()}"
        )

    def _log_tail(self) -> str:
        return f"its log ends with:\n{self.log.read_text(errors='replace')[-LOG_TAIL:]}"

    def _await_partitions(self, name: str, total: int) -> None:
        """Wait until metadata show ``total`` led partitions: the controller is ahead of them."""

        def shown() -> bool:
            topic = self._admin.list_topics(name, timeout=ADMIN_SECONDS).topics[name]
            led = [each for each in topic.partitions.values() if each.leader >= 0]
            return topic.error is None and len(led) == total if total else bool(topic.error)

        _await(shown, f"{total} partitions of topic {name}")


def _await(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + ADMIN_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the broker did not show {what} within {ADMIN_SECONDS:.0f} s")
        time.sleep(random.uniform(0.005, 0.02))


def _send(producer: Producer, topic: str, message: Produced) -> None:
    key, value, *rest = message
    options: dict[str, Any] = {
        name: given
        for name, given in zip(("partition", "timestamp", "headers"), rest, strict=False)
        if given is not None
    }
    deadline = time.monotonic() + DELIVERY_SECONDS
    while True:
        try:
            producer.produce(topic, value, key, **options)
            return
        except BufferError:  # the local queue is full: wait for deliveries
            if time.monotonic() > deadline:
                raise
            producer.poll(0.1)


def _java(jars: Path, *options: str) -> list[str]:
    logging = "-Dorg.slf4j.simpleLogger."
    return [
        *("java", *options, f"{logging}showDateTime=true"),
        *(f"{logging}dateTimeFormat=HH:mm:ss.SSS", "-cp", f"{jars}{os.sep}*"),
    ]


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; distinct, as all are held until the last is found."""
    held: list[socket.socket] = []
    try:
        for port in random.sample(PORTS, 1_000):
            candidate = socket.socket()
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                candidate.close()
                continue
            held.append(candidate)
            if len(held) == count:
                return [each.getsockname()[1] for each in held]
        raise RuntimeError(f"no {count} free ports between {PORTS.start} and {PORTS.stop}")
    finally:
        for each in held:
            each.close()
