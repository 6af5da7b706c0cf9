"""Read splits: the one splittable DoFn of the project.

It handles what every connector would otherwise reimplement: claiming, self-checkpointing, the
watermark, pacing, backlog and drain. A connector supplies a ``Source`` and a ``Reader``
(``transforms.batch.splits``) and knows nothing about Beam.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

import transforms.batch.coders  # noqa: F401  registers the coders of Split and RecordBatch
from transforms import instruments
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Polled, Position, Reader, Source, Split
from transforms.errors import ConfigError
from transforms.read import drain
from transforms.read.readers import READERS
from transforms.read.restriction import Remaining, Restrictions


@dataclass(frozen=True, slots=True)
class Pacing:
    """How long the source keeps a bundle open, and how it waits.

    Attributes:
        bundle_seconds: Seconds after which a split checkpoints itself; None reads a bounded split
            to its end in one bundle.
        poll_seconds: The longest wait for the first record of a poll.
        resume_seconds: How long the runner should wait before the split goes on. Flink rounds it
            down to whole seconds; DirectRunner ignores it.
    """

    bundle_seconds: float | None = None
    poll_seconds: float = 0.2
    resume_seconds: float = 0.0


class ReadSplits(beam.PTransform):
    """Read every split of ``sources`` into ``RecordBatch`` elements.

    A streaming split never ends by itself; otherwise the read is bounded. What the ledger has
    settled is not read again.

    Args:
        sources: What to read.
        ledger: Knows which parts are settled.
        pacing: How long bundles are.
        streaming: Read forever; by default, as the sources were made.
        spread: Distribute the splits of a bounded read to all workers, for a runner that would
            otherwise read them on the worker that planned them. Streaming splits are never
            distributed: Flink does that itself, and a runner with one process would not begin to
            read before all splits are planned.

    Raises:
        ConfigError: Some sources are read forever and others are not, or ``streaming`` says otherwise.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        ledger: Ledger,
        pacing: Pacing | None = None,
        *,
        streaming: bool | None = None,
        spread: bool = False,
    ) -> None:
        super().__init__()
        streaming = _streaming(sources, streaming)
        self._spread = spread and not streaming
        self._sources = {source.uri: source for source in sources}
        self._ledger = ledger
        self._pacing = pacing or Pacing()
        self._streaming = streaming

    @property
    def ledger(self) -> Ledger:
        """The ledger that it asks for settled ranges."""
        return self._ledger

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        kind = _ReadStreaming if self._streaming else _ReadBounded
        planned = (
            pbegin
            | "Sources" >> beam.Create(list(self._sources), reshuffle=False)
            | "Plan" >> beam.ParDo(_PlanFn(self._sources, self._ledger)).with_output_types(Split)
        )
        if self._spread:
            planned |= "Spread" >> beam.Reshuffle()
        return planned | "Splits" >> beam.ParDo(
            kind(self._sources, self._ledger, self._pacing)
        ).with_output_types(RecordBatch)


def _streaming(sources: Sequence[Source], streaming: bool | None) -> bool:
    """Whether ``sources`` are read forever, which all of them have to agree on."""
    forever = any(source.streaming for source in sources) if streaming is None else streaming
    for source in sources:
        if source.streaming != forever:
            how = "ends" if forever else "is read forever"
            raise ConfigError(
                f"source {source.uri} {how}, and the others (or ReadSplits) say otherwise: make all of "
                f"them with streaming={forever} (SourceOptions, JobsSource) or none"
            )
    return forever


class _PlanFn(beam.DoFn):
    """List the splits of a source that are not settled."""

    def __init__(self, sources: dict[str, Source], ledger: Ledger) -> None:
        self._sources = sources
        self._ledger = ledger

    def process(self, uri: str) -> Iterator[Split]:
        yield from self._sources[uri].splits(self._ledger)


class _ReadFn(beam.DoFn):
    """The common part of reading bounded and streaming splits."""

    def __init__(self, sources: dict[str, Source], ledger: Ledger, pacing: Pacing) -> None:
        self._sources = sources
        self._ledger = ledger
        self._pacing = pacing

    def read(self, split: Split, tracker: Any, watermark: Any) -> Iterator[Any]:
        """Poll, claim and emit until the split is done or checkpointed, or its time is up."""
        source = self._source_of(split)
        position: Position = tracker.current_restriction().position
        reader = READERS.take(source, split, position)
        if reader is None:
            reader = source.open(split, position, self._ledger)
        deadline = (
            None
            if self._pacing.bundle_seconds is None
            else time.monotonic() + self._pacing.bundle_seconds
        )
        keep = False
        try:
            while True:
                if drain.requested():
                    # The rest stays unread on purpose; the ledger knows where to resume.
                    tracker.try_claim(Remaining(position, done=True))
                    return
                polled = _poll(reader, self._pacing.poll_seconds, split.source)
                # Poll before claiming: a slow poll must not hold the lock of the tracker.
                remaining = Remaining(polled.position, reader.backlog(), polled.done)
                if not tracker.try_claim(remaining):
                    return
                position = polled.position
                for batch in polled.batches:
                    if polled.cut is None:
                        yield _timestamped(batch)
                    else:
                        yield from map(_timestamped, polled.cut(batch))
                if polled.watermark is not None:
                    _advance(watermark, polled.watermark)
                if polled.done:
                    return
                if polled.rest or (deadline is not None and time.monotonic() >= deadline):
                    READERS.put(source, split, position, reader)
                    keep = True
                    tracker.defer_remainder(Duration(self._pacing.resume_seconds))
                    return
        finally:
            if not keep:
                reader.close()

    def _source_of(self, split: Split) -> Source:
        """The source of a split; the split may come from the saved state of another pipeline."""
        try:
            return self._sources[split.source]
        except KeyError:
            raise ConfigError(
                f"the state that this job goes on from has source {split.source}, which the job "
                f"does not read; start without it: the ledger knows where each source goes on"
            ) from None


class _ReadBounded(_ReadFn):
    def process(
        self,
        split: Split,
        tracker: Any = beam.DoFn.RestrictionParam(Restrictions(bounded=True)),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        yield from self.read(split, tracker, watermark)


class _ReadStreaming(_ReadFn):
    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]  # Beam ships no types
    def process(
        self,
        split: Split,
        tracker: Any = beam.DoFn.RestrictionParam(Restrictions(bounded=False)),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(
            ManualWatermarkEstimator.default_provider()
        ),
    ) -> Iterator[Any]:
        yield from self.read(split, tracker, watermark)


def _poll(reader: Reader, seconds: float, source: str) -> Polled:
    """What the reader has; to have waited in vain is no reading."""
    read = False
    instruments.begin_stage()
    try:
        polled = reader.poll(seconds)
        read = bool(polled.batches)
    finally:
        instruments.end_stage("read" if read else "wait")
    if polled.batches:
        instruments.add("bytes_read", sum(batch.raw_bytes for batch in polled.batches), source)
        instruments.add("records_read", sum(batch.read for batch in polled.batches), source)
    return polled


def _timestamped(batch: RecordBatch) -> Any:
    """The batch at its earliest event time, or unchanged if it has no event times."""
    return TimestampedValue(batch, min(batch.times)) if batch.times else batch


def _advance(watermark: Any, seconds: float) -> None:
    """Move the watermark forward, never back (``set_watermark`` raises on a regress)."""
    reached = Timestamp.of(seconds)
    current = watermark.current_watermark()
    if current is None or reached > current:
        watermark.set_watermark(reached)
