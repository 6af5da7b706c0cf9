"""PrismRunner: Beam's portable runner for one machine, in a process of its own.

What follows from it:

* The program is a Go binary (``runners.prism.binary``) and a child of ours
  (``runners.prism.server``); Beam's own launcher would replace the handler of SIGINT by one
  that kills it in mid-bundle (apache_beam/runners/portability/job_server.py).
* The SDK worker is in this process (LOOPBACK), so a signal can ask the readers to stop, and
  this process's caches and tally are the workers'.
* It fuses what FnApiRunner fuses (``greedyFusion`` in Prism's preprocess.go), so a bundle
  writes what it reads and a slow database holds the source here too.
* It honours the delay of a deferred split (Beam 2.77 does; apache/beam #39848 is that it did not,
  and that a source that waits kept a processor busy).
* Several splits are read at once, but by threads of one process: more splits than sources
  would not be read faster.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
)
from apache_beam.runners.portability.prism_runner import PrismRunner
from apache_beam.runners.worker import sdk_worker

from runners import beam_private
from runners.beam_flags import refuse_ignored
from runners.prism.binary import located
from runners.prism.server import serving
from runners.runner import Runner, RunnerUnavailable

beam_private.listen_on_loopback()

_WORKER = "LOOPBACK"
_WORKER_STOP_SECONDS = 3.0
# apache_beam/runners/worker: worker_pool_main.py and data_plane.py
_WORKER_THREADS = ("run_worker_", "read_grpc_client_inputs")


def _not_printed(*_text: object, file: object = None) -> None:
    """What the worker prints, the stack of a failed bundle, it also logs and reports."""


# It prints to the standard error of this process (apache_beam/runners/worker/sdk_worker.py,
# _execute), where one line says what failed; --verbose shows the log.
sdk_worker.print = _not_printed


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
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
    if portable.job_endpoint:  # a Prism that runs already
        if prism.prism_location is not None:
            raise RunnerUnavailable(
                "--prism_location and --job_endpoint: PrismRunner starts the one, or uses the other "
                "that runs already; leave one of them out"
            )
        if ":" not in portable.job_endpoint:
            raise RunnerUnavailable(
                f"--job_endpoint {portable.job_endpoint}: PrismRunner needs host:port of a Prism "
                "that runs; leave it out to have one started"
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
    before = set(threading.enumerate())
    try:
        yield
    finally:
        _await_workers(before)


def _await_workers(before: Container[threading.Thread]) -> None:
    """Wait until the threads of the worker have ended, which Prism tells them to, some time
    after the job has: a Prism that is gone by then makes them end with a stack on stderr.
    """
    deadline = time.monotonic() + _WORKER_STOP_SECONDS
    for thread in threading.enumerate():
        if thread not in before and thread.name.startswith(_WORKER_THREADS):
            thread.join(max(0.0, deadline - time.monotonic()))


def _tune_process() -> None:
    """Nothing: what DirectRunner sets was measured there, where all is one thread."""


RUNNER = Runner(
    name="PrismRunner",
    pipeline=_pipeline,
    parallel=False,
    streaming_bundle_seconds=5.0,
    drained_by_signals=True,
    tune_process=_tune_process,
)
