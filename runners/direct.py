"""DirectRunner: Beam's in-process FnApiRunner, named explicitly.

Beam's own ``DirectRunner`` chooses for itself: it may download Prism, or fall back to a
legacy runner that cannot run splittable DoFns (apache_beam/runners/direct/direct_runner.py,
``SwitchingDirectRunner``).

What follows from it:

* ``run()`` blocks until the pipeline has ended, and shows no metrics before.
* It ignores the delay of a deferred split, so readers wait in their own poll.
* One thread reads everything, so splits for other readers would only take memory.
* It keeps the metrics of every bundle until the end; here they are merged after every bundle
  (``runners.beam.private``).
* A bundle costs some milliseconds, so a streaming bundle is seconds long.
* A bundle ends when Beam's sampler of states has woken up. Nothing is read meanwhile, by default
  for 200 ms, here for at most 20.
* It is one process, so a signal can ask the readers to stop.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from runners.beam import private as beam_private
from runners.beam.flags import refuse_ignored
from runners.beam.memory import remember
from runners.runner import Runner
from runners.tuning import tune_process

_SAMPLING_MILLISECONDS = 20
_GC_SECONDS = 5.0
"""A bundle leaves some KB of cyclic garbage behind, which the few allocations of an idle stream
would not collect for an hour. It is collected between two bundles, when there is no batch to scan."""


class _Collector:
    """Collects garbage at most every ``_GC_SECONDS``, in a process that is tuned."""

    def __init__(self) -> None:
        self.due = math.inf

    def between_bundles(self) -> None:
        now = time.monotonic()
        if now >= self.due:
            gc.collect()
            self.due = now + _GC_SECONDS


_collector = _Collector()


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    beam_private.listen_on_loopback()
    beam_private.merge_metrics_per_bundle(_collector.between_bundles)
    beam_private.sample_states_every(_SAMPLING_MILLISECONDS)
    remember()
    refuse_ignored("DirectRunner", flags)
    yield beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(flags)))


def _tune_process() -> None:
    """Tune this process, and collect its garbage between bundles from now on."""
    tune_process()
    _collector.due = time.monotonic() + _GC_SECONDS


RUNNER = Runner(
    name="DirectRunner",
    pipeline=_pipeline,
    parallel=False,
    streaming_bundle_seconds=5.0,
    drained_by_signals=True,
    tune_process=_tune_process,
)
