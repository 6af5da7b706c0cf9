"""Read the database again and again, and show what was read last as metrics."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipelines.telemetry.server import Health
from pipelines.telemetry.table import FROM_AUDIT, FROM_DATABASE
from sinks.database.database import Database
from sinks.figures.audited import audited
from sinks.figures.figures import figures as read_figures
from sinks.figures.sample import Sample
from sources.ownership import TOPICS
from transforms.batch.backoff import jitter
from transforms.errors import SluiceError

_log = logging.getLogger(__name__)

Read = Callable[[], Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read last, and how long that took."""

    samples: Sequence[Sample]
    seconds: float


@dataclass(slots=True)
class Loop:
    """Reads the database every few seconds, on a thread of its own.

    Attributes:
        name: The loop, as the label has it.
        read: Reads everything.
        seconds: Between two readings.
        last: What was read last; None until something was, or if the last attempt failed.
        succeeded: When an attempt last succeeded (seconds since 1970); None until one has.
        failure: Why the last attempt failed; empty if it did not.
        beaten: When the last attempt ended (monotonic).
        has_read: Set once an attempt has succeeded.
    """

    name: str
    read: Read
    seconds: float
    last: _Reading | None = None
    succeeded: float | None = None
    failure: str = "nothing was read yet"
    beaten: float = field(default_factory=time.monotonic)
    has_read: threading.Event = field(default_factory=threading.Event)

    def once(self) -> None:
        """Read now. An error is kept, and what was read before it is forgotten: it may be old."""
        started = time.monotonic()
        try:
            samples = self.read()
        except SluiceError as error:
            if str(error) != self.failure:
                _log.warning("%s", error, extra={"service": "database"})
            self.last, self.failure = None, str(error)
        else:
            self.last, self.succeeded = _Reading(samples, time.monotonic() - started), time.time()
            self.failure = ""
            self.has_read.set()
        self.beaten = time.monotonic()

    def forever(self, stopped: threading.Event) -> None:
        """Read until ``stopped`` is set."""
        while True:
            self.once()
            if stopped.wait(self.seconds * jitter(0.9, 1.1)):
                return


class Exporter(Collector):
    """The metrics of a database.

    Args:
        database: Which database.
        seconds: Between two readings of the figures.
        audit_seconds: Between two audits.
    """

    def __init__(self, database: Database, seconds: float, audit_seconds: float) -> None:
        self.figures = Loop("figures", lambda: read_figures(database, TOPICS), seconds)
        self.audit = Loop("audit", lambda: audited(database, TOPICS), audit_seconds)

    @contextmanager
    def reading(self) -> Iterator[CollectorRegistry]:
        """Read in the background while the block runs; yields the registry that shows it."""
        stopped = threading.Event()
        threads = [
            threading.Thread(target=loop.forever, args=(stopped,), name=loop.name, daemon=True)
            for loop in (self.figures, self.audit)
        ]
        registry = CollectorRegistry()
        registry.register(self)
        for thread in threads:
            thread.start()
        try:
            yield registry
        finally:
            stopped.set()
            for thread in threads:
                thread.join(5)

    def collect(self) -> Iterator[Metric]:
        """What was read last; what could not be read is absent."""
        samples = [Sample("sluice_exporter_up", float(self.figures.last is not None), {})]
        for loop in (self.figures, self.audit):
            last = loop.last
            if last is not None:
                labels = {"loop": loop.name}
                samples.append(Sample("sluice_exporter_duration_seconds", last.seconds, labels))
                samples += last.samples
        if self.audit.succeeded is not None:  # shown also after failures: its age is their alert
            samples.append(Sample("sluice_audit_timestamp_seconds", self.audit.succeeded, {}))
        yield from families(samples)

    def live(self) -> Health:
        """Whether the loop goes on: a reading may take minutes, not longer."""
        silent = time.monotonic() - self.figures.beaten
        limit = 10 * self.figures.seconds + 120
        return Health.of([f"nothing was read for {silent:.0f} s"] if silent > limit else [])

    def ready(self) -> Health:
        """Whether the last reading succeeded."""
        return Health.of(filter(None, [self.figures.failure]))


def families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """The metrics that ``samples`` belong to, each with its meaning."""
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.name, []).append(sample)
    for metric in (*FROM_DATABASE, *FROM_AUDIT):
        if metric.name in by_name:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for sample in by_name[metric.name]:
                family.add_metric([sample.labels[name] for name in metric.labels], sample.value)
            yield family
