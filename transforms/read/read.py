"""Read splits: the one splittable DoFn of the project.

It handles what every connector would otherwise reimplement: claiming, self-checkpointing, the
watermark, pacing, backlog and drain. A connector supplies a ``Source`` and a ``Reader``
(``transforms.batch.splits``) and knows nothing about Beam.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator

import transforms.batch.coders  # noqa: F401  registers the coders of Split and RecordBatch
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Source, Split
from transforms.errors import ConfigError
from transforms.read import assigned, quota
from transforms.read.assigned import ASSIGNED
from transforms.read.control import Controls
from transforms.read.hold import Hold
from transforms.read.reading import Pacing, Reading
from transforms.read.restriction import Restrictions
from transforms.steps import service as services


class ReadSplits(beam.PTransform):
    """Read every split of ``sources`` into ``RecordBatch`` elements.

    A streaming split never ends by itself; otherwise the read is bounded. What the ledger has
    settled is not read again.

    Args:
        sources: What to read. A runner with one process reads the splits of each bundle in this order.
        ledger: Knows which parts are settled.
        pacing: How long bundles are.
        streaming: Read forever; by default, as the sources were made.
        spread: Distribute the splits of a bounded read to all workers, for a runner that would
            otherwise read them on the worker that planned them. Streaming splits are never
            distributed: Flink does that itself, and a runner with one process would not begin to
            read before all splits are planned.
        controls: What operators ask of the pipeline, which may be to read nothing for now; None where
            nobody can ask.
        planned_elsewhere: The URIs of the sources whose splits another process assigns to this one
            (``transforms.read.assigned``).

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
        controls: Controls | None = None,
        planned_elsewhere: Collection[str] = (),
    ) -> None:
        super().__init__()
        streaming = _streaming(sources, streaming)
        self._spread = spread and not streaming
        uris = [source.uri for source in sources]
        planned = [ASSIGNED.source if uri in planned_elsewhere else uri for uri in uris]
        self._planned = list(dict.fromkeys(planned))
        self._sources = {source.uri: source for source in sources}
        self._ledger = ledger
        self._pacing = pacing or Pacing()
        self._streaming = streaming
        self._controls = controls

    @property
    def ledger(self) -> Ledger:
        """The ledger that it asks for settled ranges."""
        return self._ledger

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection:
        services.reset()  # of an earlier pipeline of this process
        quota.reset()
        kind = _ReadStreaming if self._streaming else _ReadBounded
        plan = _PlanFn(self._sources, self._ledger, streaming=self._streaming)
        planned = (
            pbegin
            | "Sources" >> beam.Create(self._planned, reshuffle=False)
            | "Plan" >> beam.ParDo(plan).with_output_types(Split)
        )
        if self._spread:
            planned |= "Spread" >> beam.Reshuffle()
        return planned | "Splits" >> beam.ParDo(
            kind(self._sources, self._ledger, self._pacing, self._controls)
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
    """List the splits of a source that are not settled, or those that are assigned."""

    def __init__(self, sources: dict[str, Source], ledger: Ledger, *, streaming: bool) -> None:
        self._sources = sources
        self._ledger = ledger
        self._streaming = streaming

    def process(self, uri: str) -> Iterator[Split]:
        if uri != ASSIGNED.source:
            yield from self._sources[uri].splits(self._ledger)
        elif self._streaming:
            yield from iter(assigned.next_split, None)
        else:
            yield ASSIGNED


class _ReadFn(beam.DoFn):
    """The common part of reading bounded and streaming splits."""

    streaming = False

    def __init__(
        self,
        sources: dict[str, Source],
        ledger: Ledger,
        pacing: Pacing,
        controls: Controls | None = None,
    ) -> None:
        self._sources = sources
        self._ledger = ledger
        self._pacing = pacing
        self._controls = controls

    def read(self, split: Split, tracker: Any, watermark: Any) -> Iterator[Any]:
        """Poll, claim and emit until the split is done or checkpointed, or its time is up."""
        if split == ASSIGNED:
            yield from assigned.read(tracker, watermark, self.read)
            return
        source = self._source_of(split)
        hold = Hold(self._controls, split.source, streaming=self.streaming)
        reading = Reading(source, split, self._ledger, tracker, watermark, self._pacing, hold)
        yield from reading.batches()

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
    streaming = True

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
