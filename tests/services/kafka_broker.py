"""A real Kafka broker: one KRaft node on 127.0.0.1 with folder and ports of its own.

    with KafkaBroker() as broker:
        broker.create_topic("events", partitions=2)
        broker.produce("events", [(b"key", b"value")])

It needs Java, and Maven once (``available()`` says what is missing).
"""

from __future__ import annotations

import atexit
import random
import secrets
import shutil
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from runners.ports import free_ports
from tests.services.kafka_jars import available, fetched_jars
from tests.services.kafka_produce import Produced, produce
from tests.services.kafka_server import java, properties
from tests.services.process import ServiceProcess

__all__ = ["KafkaBroker", "Produced", "Topics", "available"]


class Topics(Protocol):
    """Creates topics of its own for a test (the fixture ``topic``)."""

    def __call__(self, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Create a topic of ``partitions`` partitions; returns its name, never used before."""
        ...


START_SECONDS = 90.0
STOP_SECONDS = 30.0
ADMIN_SECONDS = 30.0
LOG_TAIL = 4_000


@dataclass
class KafkaBroker:
    """A broker that keeps ports and data over stop, kill and start; its context ends it for good.

    Attributes:
        settings: Broker settings to add or to override.
        listeners: More of them than the one of ``bootstrap``: the port of each, by its name.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    listeners: Mapping[str, int] = field(default_factory=dict)
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
        command = [*java(jars, *heap), "kafka.Kafka", settings]
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
        offsets = [TopicPartition(topic, partition, offset) for partition, offset in before.items()]
        answers = self._admin.delete_records(offsets)
        return {
            each.partition: answer.result(ADMIN_SECONDS).low_watermark
            for each, answer in answers.items()
        }

    def produce(self, topic: str, messages: Iterable[Produced]) -> int:
        """Append ``messages`` in order, none lost and none twice; returns how many.

        Raises:
            RuntimeError: Messages were not delivered; how many, and the first one's error.
        """
        return produce(self.bootstrap, topic, messages)

    @property
    def _admin(self) -> AdminClient:
        if self._client is None:
            raise RuntimeError("the broker is not running: call start() first")
        return self._client

    def _prepare(self, jars: Path) -> None:
        """Make the folder, choose the ports, write the settings, format the storage."""
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        atexit.register(self.close)
        self._port, controller = free_ports(2)
        file = self._folder / "server.properties"
        data = self._folder / "data"
        file.write_text(properties(self._port, controller, data, self.settings, self.listeners))
        # A leading zero byte, so that no option parser takes the id for an option.
        cluster = urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
        tool = [*java(jars, "-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool"]
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
