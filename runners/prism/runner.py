"""PrismRunner: Beam's portable runner for one machine, in a process of its own.

What follows from it:

* The program is a Go binary (``runners.prism.binary``) and a child of this process
  (``runners.prism.server``). Beam's own launcher would replace the handler of SIGINT by one
  that kills it in the middle of a bundle (apache_beam/runners/portability/job_server.py).
* The SDK worker is in this process (LOOPBACK), so a signal can ask the readers to stop, and
  this process's caches and tally are the worker's.
* It fuses what FnApiRunner fuses (``greedyFusion`` in Prism's preprocess.go), so a bundle
  writes what it reads, and a slow database slows the source down.
* It honours the delay of a deferred split, since Beam 2.77 (apache/beam #39848). While a bundle
  waits for records, the published Prism keeps a processor half busy; the one that is built here
  does not (``runners.prism.binary``).
* Several splits are read at once, but by threads of one process: more splits than sources
  would not be read faster.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
)
from apache_beam.runners.portability.prism_runner import PrismRunner

from runners.beam import private as beam_private
from runners.beam.flags import refuse_ignored
from runners.beam.memory import remember
from runners.prism.binary import located
from runners.prism.server import serving
from runners.runner import Runner, RunnerUnavailable

_WORKER = "LOOPBACK"
_WORKER_STOP_SECONDS = 3.0


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    beam_private.listen_on_loopback()
    remember()
    beam_private.hide_tracebacks()  # this process says in one line what failed
    refuse_ignored("PrismRunner", flags)
    options = PipelineOptions(list(flags))
    portable = options.view_as(PortableOptions)
    if portable.environment_type not in (None, _WORKER):
        raise RunnerUnavailable(
            f"--environment_type {portable.environment_type}: PrismRunner runs its worker in "
            f"this process ({_WORKER}); leave the option out"
        )
    portable.environment_type = _WORKER
    prism = options.view_as(PrismRunnerOptions)
    if portable.job_endpoint:  # a Prism that is already running
        if prism.prism_location is not None:
            raise RunnerUnavailable(
                "--prism_location and --job_endpoint: PrismRunner starts the first, or uses the "
                "second, which already runs; leave one of them out"
            )
        if ":" not in portable.job_endpoint:
            raise RunnerUnavailable(
                f"--job_endpoint {portable.job_endpoint}: PrismRunner needs host:port of a "
                "running Prism; leave it out to have one started"
            )
        with _workers_awaited():
            yield beam.Pipeline(runner=PrismRunner(), options=options)
        return
    with serving(located(prism.prism_location), prism.prism_log_level) as endpoint:
        portable.job_endpoint = endpoint
        with _workers_awaited():
            yield beam.Pipeline(runner=PrismRunner(), options=options)


@contextmanager
def _workers_awaited() -> Iterator[None]:
    """Wait at the end until the worker's threads have ended.

    Prism tells them to, some time after the job has ended. If Prism is gone by then, they end with
    a traceback on stderr.
    """
    before = set(beam_private.worker_threads())
    try:
        yield
    finally:
        deadline = time.monotonic() + _WORKER_STOP_SECONDS
        for thread in beam_private.worker_threads():
            if thread not in before:
                thread.join(max(0.0, deadline - time.monotonic()))


def _tune_process() -> None:
    """Do nothing: what DirectRunner sets was measured there, where one thread does everything."""


RUNNER = Runner(
    name="PrismRunner",
    pipeline=_pipeline,
    parallel=False,
    streaming_bundle_seconds=5.0,
    resume_seconds=0.25,  # a split whose bundle was full loses a twentieth of its time
    drained_by_signals=True,
    tune_process=_tune_process,
)
