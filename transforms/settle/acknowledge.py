"""Tell the systems that records come from how far they are settled, after the commit."""

from __future__ import annotations

import time
from collections.abc import Sequence

import apache_beam as beam

from transforms.batch.splits import Acknowledger, Source
from transforms.per_process import PerProcess
from transforms.settle.sink import Settled

FLUSH_SECONDS = 3.0

ACKNOWLEDGERS: PerProcess[Source, Acknowledger | None] = PerProcess(
    lambda source: source.acknowledger()
)
"""Those of this process."""


class Acknowledge(beam.PTransform):
    """Acknowledge each settled span to the source that owns it, where the source wants that.

    Takes the ``settled`` output of ``Write``, which comes after the database's commit, and
    emits nothing. It is advisory: the ledger alone says where to resume.

    Args:
        sources: What the pipeline reads.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        super().__init__()
        self._sources = tuple(sources)

    def expand(self, settled: beam.PCollection) -> beam.PCollection:
        return settled | "Note" >> beam.ParDo(_NoteFn(self._sources))


class _NoteFn(beam.DoFn):
    def __init__(self, sources: tuple[Source, ...]) -> None:
        self._sources = sources

    def process(self, settled: Settled) -> None:
        if settled.attempts:
            return  # records that had failed before: their offsets are settled already
        for source in self._sources:
            acknowledger = ACKNOWLEDGERS.get(source)
            if acknowledger is not None and source.owns(settled.span.source):
                acknowledger.note(settled.span)

    def teardown(self) -> None:
        flush()


def flush(timeout: float = FLUSH_SECONDS) -> None:
    """Pass on what this process has noted, within ``timeout`` seconds: a pipeline ends."""
    deadline = time.monotonic() + timeout
    for acknowledger in ACKNOWLEDGERS.values():
        if acknowledger is not None:
            acknowledger.flush(max(0.0, deadline - time.monotonic()))
