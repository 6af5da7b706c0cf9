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
import sys
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

_SAMPLING_MILLISECONDS = 20
_GC_THRESHOLD = 100_000
_SWITCH_SECONDS = 0.0005
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
    """Set this process up for large batches of small values.

    Batches are acyclic, so the garbage collector finds little in them and has much to scan:
    collecting rarely gives a quarter more records a second (docs/performance.md).

    The thread that writes waits for the interpreter's lock after every answer of the database, by
    default 5 ms while the next batch is parsed. A commit has some ten answers for every table.
    """
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 100)
    sys.setswitchinterval(_SWITCH_SECONDS)
    _collector.due = time.monotonic() + _GC_SECONDS


RUNNER = Runner(
    name="DirectRunner",
    pipeline=_pipeline,
    parallel=False,
    streaming_bundle_seconds=5.0,
    drained_by_signals=True,
    tune_process=_tune_process,
)
