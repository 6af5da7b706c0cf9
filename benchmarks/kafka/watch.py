"""Sample a running ingestion from outside at a steady pace: broker, database and process."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import Consumer, TopicPartition

from benchmarks.kafka.ingestion import Ingestion


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment; totals are since the beginning of the watch.

    Attributes:
        at: Seconds since the watch began.
        produced: Records in the topic.
        settled: Records that the ledger has.
        received: Bytes that the process has taken from the broker, as the kernel counts them;
            None where ``ss`` (iproute2) is missing.
        resident: Memory of the process, in MiB.
        cpu: CPU seconds of the process.
        extra: The result of the watch's extra query.
    """

    at: float
    produced: int
    settled: int
    received: int | None
    resident: float
    cpu: float
    extra: int = 0

    @property
    def lag(self) -> int:
        """Records that are in the topic but not in the ledger."""
        return self.produced - self.settled


@dataclass
class Watch:
    """Samples of one ingestion.

    Args:
        ingestion: A running ingestion that has settled something.
        bootstrap: The broker.
        topic: A topic from which nothing is ever deleted.
        partitions: How many partitions it has.
        dsn: The database.
        seconds: Between two samples.
        extra: SQL for one more number.
    """

    ingestion: Ingestion
    bootstrap: str
    topic: str
    partitions: int
    dsn: str
    seconds: float
    extra: str = "SELECT 0"
    samples: list[Sample] = field(default_factory=list)
    _received: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[Sequence[Sample]]:
        """Take samples while the block runs.

        Raises:
            RuntimeError: A sample could not be taken; its error is the cause.
        """
        stop = threading.Event()
        failed: list[BaseException] = []
        thread = threading.Thread(target=self._loop, args=(stop, failed), name="watch")
        thread.start()
        try:
            yield self.samples
        finally:
            stop.set()
            thread.join()
        if failed:
            raise RuntimeError("the watch failed") from failed[0]

    def _loop(self, stop: threading.Event, failed: list[BaseException]) -> None:
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap, "group.id": "watch", "log_level": 0}
        )
        try:
            with psycopg.connect(self.dsn, autocommit=True) as connection:
                started = due = time.monotonic()
                while not stop.wait(max(0.0, due - time.monotonic())):
                    self.samples.append(self._sample(consumer, connection, started))
                    due += self.seconds
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            failed.append(error)
        finally:
            consumer.close()

    def _sample(self, consumer: Consumer, connection: psycopg.Connection, started: float) -> Sample:
        # The ledger first: what it has is in the topic, so the lag is never negative.
        settled = _number(
            connection,
            "SELECT coalesce(sum(end_offset - start_offset), 0) FROM ingest_progress "
            "WHERE source = %s",
            f"kafka://{self.topic}",
        )
        produced = 0
        for partition in range(self.partitions):
            place = TopicPartition(self.topic, partition)
            marks = consumer.get_watermark_offsets(place, timeout=10)
            assert marks is not None, f"no answer for {place} within 10 s"
            produced += marks[1]
        return Sample(
            at=time.monotonic() - started,
            produced=produced,
            settled=settled,
            received=self._received_bytes(),
            resident=self.ingestion.resident_mib(),
            cpu=self.ingestion.cpu_seconds(),
            extra=_number(connection, self.extra),
        )

    def _received_bytes(self) -> int | None:
        """Bytes of all connections to the broker so far, including those closed since."""
        if shutil.which("ss") is None:
            return None
        port = self.bootstrap.rpartition(":")[2]
        listed = subprocess.run(
            ["ss", "-tinpHO", f"dport = :{port}"], capture_output=True, text=True, check=True
        ).stdout
        for line in listed.splitlines():
            bytes_received = re.search(r"bytes_received:(\d+)", line)
            if f"pid={self.ingestion.pid}," in line and bytes_received:
                self._received[line.split()[3]] = int(bytes_received[1])
        return sum(self._received.values())


def _number(connection: psycopg.Connection, query: str, *bound: str) -> int:
    row = connection.execute(query.encode(), bound).fetchone()
    assert row is not None
    return int(row[0])


def slope_per_hour(samples: Sequence[Sample]) -> float:
    """The least-squares slope of the resident memory, in MiB an hour."""
    mean_at = sum(each.at for each in samples) / len(samples)
    mean = sum(each.resident for each in samples) / len(samples)
    spread = sum((each.at - mean_at) ** 2 for each in samples)
    return 3600 * sum((s.at - mean_at) * (s.resident - mean) for s in samples) / spread
