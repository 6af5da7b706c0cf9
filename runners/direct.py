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
  so that after a thousand bundles Python refuses to run them (``RecursionError``). Here they
  are added up after every bundle.
* A bundle costs some milliseconds, so a streaming bundle is seconds long.
* It is one process, so a signal can ask the readers to stop.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.metrics.monitoring_infos import consolidate
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner, fn_runner

from runners import Runner

_GC_THRESHOLD = 100_000


def _consolidate(infos: Iterable[Any]) -> list[Any]:
    return list(consolidate(infos))


# The loop that calls it offers no other hold (apache_beam/runners/portability/fn_api_runner/
# fn_runner.py, run_stages).
fn_runner.consolidate_monitoring_infos = _consolidate


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    yield beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(flags)))


def _tune_process() -> None:
    """Set this process up for large batches of small values.

    Batches are acyclic, so the garbage collector has little to find in them and much to
    scan: collecting rarely gives a quarter more records a second (docs/performance.md).
    """
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 100)


RUNNER = Runner(
    name="DirectRunner",
    pipeline=_pipeline,
    parallel=False,
    streaming_bundle_seconds=5.0,
    drained_by_signals=True,
    tune_process=_tune_process,
)
