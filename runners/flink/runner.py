"""FlinkRunner: a cluster, to whose job server a pipeline is submitted.

    python -m runners.flink status|stop|cancel [--flink_master HOST:PORT] [--job ID] [--drain]

Beam's own ``FlinkRunner`` would download a job server and start it. Here a job server that is
already running takes the job (``--job_endpoint``; by default that of ``make flink-up``).

What follows from it:

* The workers are other processes, on other machines: a signal to this process does not reach
  them, and the job goes on when this process ends.
* It floors the delay of a deferred split to whole seconds, and the SDK sends a little less
  than was asked for. A delay of 1 s becomes none, hence 1.5 s.
* It cannot take a checkpoint while a bundle is open, and the splits of one subtask are read
  in turns, so a streaming bundle is short.
* A failed job begins again at its last checkpoint, a bounded one at its beginning; what is in
  the ledger is not read twice.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.portability.api import beam_runner_api_pb2

from runners.beam import private as beam_private
from runners.beam.flags import refuse_ignored
from runners.beam.memory import remember
from runners.flink import job_server
from runners.flink.failures import cause
from runners.flink.options import options_of, resumed
from runners.flink.rest import FlinkRest, FlinkUnreachable
from runners.flink.submission import Marked, jobs_of, submitted
from runners.flink.watch import finished, started
from runners.flink_flags import FlinkJobServerOptions
from runners.runner import Runner, RunnerUnavailable

OUTAGE_SECONDS = 60.0
"""No checkpoint passes while a bundle waits, and one that takes longer than 10 minutes fails the
job (Flink's execution.checkpointing.timeout and its tolerable-failed-checkpoints, 0). A bundle
waits once for its source and once for the database, and the splits of a subtask wait one after the
other: 60 s leave room for four waits."""


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    beam_private.listen_on_loopback()
    remember()
    runner = beam_private.marking_runner(_marked)
    refuse_ignored("FlinkRunner", flags)
    options = options_of(flags)
    job_server.check(options.view_as(PortableOptions).job_endpoint)
    yield beam.Pipeline(runner=runner, options=options)


def _marked(pipeline: Any, options: PipelineOptions) -> Marked:
    """Give the job a mark of its own, right before it is submitted."""
    if not options.view_as(StandardOptions).streaming and _endless(pipeline):
        raise RunnerUnavailable(
            "this pipeline does not end by itself: it needs Beam's --streaming on Flink, or "
            "it would run without checkpoints"
        )
    master = options.view_as(FlinkRunnerOptions).flink_master
    rest = None if master.startswith("[") else _rest(master)
    marked = Marked(rest, uuid.uuid4().hex, set() if rest is None else jobs_of(rest))
    options.view_as(FlinkJobServerOptions).sluice_submission = marked.mark
    return marked


def _endless(pipeline: Any) -> bool:
    unbounded = beam_runner_api_pb2.IsBounded.UNBOUNDED
    collections = pipeline.components.pcollections.values()
    return any(collection.is_bounded == unbounded for collection in collections)


def _rest(master: str) -> FlinkRest:
    try:
        return FlinkRest(master)
    except FlinkUnreachable as error:
        raise RunnerUnavailable(str(error)) from error


def _explained(text: str) -> str:
    if "JobCancellationException" in text:
        return "the job was cancelled; what is committed stays, and the next run goes on from there"
    return f"the job failed: {cause(text)} (`sluice flink status` has more)"


def _tune_process() -> None:
    """Do nothing: the workers are other processes."""


RUNNER = Runner(
    name="FlinkRunner",
    pipeline=_pipeline,
    parallel=True,
    streaming_bundle_seconds=1.0,
    drained_by_signals=False,
    tune_process=_tune_process,
    resume_seconds=1.5,
    outage_budget=OUTAGE_SECONDS,
    explained=_explained,
    submitted=submitted,
    started=started,
    finished=finished,
    resumed=resumed,
)
