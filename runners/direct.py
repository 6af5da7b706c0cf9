"""DirectRunner: Beam's in-process FnApiRunner, named explicitly.

Beam's own ``DirectRunner`` chooses for itself: it may download Prism, or fall back to a
legacy runner that cannot run splittable DoFns (apache_beam/runners/direct/direct_runner.py,
``SwitchingDirectRunner``).

What follows from it:

* ``run()`` blocks until the pipeline has ended, and shows no metrics before.
* It ignores the delay of a deferred split, so readers wait in their own poll.
* One thread reads everything: splits for others to read would only take memory.
* It adds up the counters of its bundles only when they are asked for, at the end: until then
  it keeps those of every bundle (29 KB), as a chain of generators that are nested one a bundle,
  so that after a thousand bundles Python refuses to run them (``RecursionError``). Gauges it
  never merges. Here both is done after every bundle.
* A bundle costs some milliseconds, so a streaming bundle is seconds long.
* A bundle ends once Beam's sampler of states has woken up: 200 ms in which nothing is read, here
  at most 20.
* It is one process, so a signal can ask the readers to stop.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.metrics.monitoring_infos import (
    GAUGE_TYPES,
    consolidate,
    extract_gauge_value,
    to_key,
)
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner
from apache_beam.runners.worker.statesampler import StateSampler

from runners import beam_private
from runners.beam_flags import refuse_ignored
from runners.runner import Runner

beam_private.listen_on_loopback()

_SAMPLING_MILLISECONDS = 20
_GC_THRESHOLD = 100_000
_GC_SECONDS = 5.0
"""A bundle leaves some KB of cyclic garbage behind, which an idle stream's few allocations would
let lie for an hour: it is collected between two bundles, when no batch is there to be scanned."""


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


def _consolidate(infos: Iterable[Any]) -> list[Any]:
    """Add up now; of a gauge the newest, where Beam keeps the one of every bundle."""
    _collector.between_bundles()
    others: list[Any] = []
    newest: dict[Any, tuple[int, Any]] = {}
    for info in infos:  # those of the last bundle come first
        if info.type not in GAUGE_TYPES:
            others.append(info)
            continue
        key, (at, _) = to_key(info), extract_gauge_value(info)
        if key not in newest or at > newest[key][0]:
            newest[key] = (at, info)
    return [*consolidate(others), *(info for _, info in newest.values())]


# The loop that calls it offers no other hold (apache_beam/runners/portability/fn_api_runner/
# fn_runner.py, run_stages).
fn_runner.consolidate_monitoring_infos = _consolidate


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    refuse_ignored("DirectRunner", flags)
    yield beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(flags)))


def _tune_process() -> None:
    """Set this process up for large batches of small values.

    Batches are acyclic, so the garbage collector has little to find in them and much to
    scan: collecting rarely gives a quarter more records a second (docs/performance.md).
    """
    # No option sets it (apache_beam/runners/worker/bundle_processor.py makes it with the default).
    StateSampler.__init__.__defaults__ = (_SAMPLING_MILLISECONDS,)
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 100)
    _collector.due = time.monotonic() + _GC_SECONDS


RUNNER = Runner(
    name="DirectRunner",
    pipeline=_pipeline,
    parallel=False,
    streaming_bundle_seconds=5.0,
    drained_by_signals=True,
    tune_process=_tune_process,
)
