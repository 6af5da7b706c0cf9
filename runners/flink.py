"""FlinkRunner: a cluster, to whose job server a pipeline is submitted.

    python -m runners.flink status|stop|cancel [--flink_master HOST:PORT] [--job ID] [--drain]

Beam's own ``FlinkRunner`` would fetch a job server's jar and start it; here one that runs
already takes the job (``--job_endpoint``; by default that of ``make flink-up``).

What follows from it:

* The workers are other processes, on other machines: a signal to this one asks them
  nothing, and when it ends the job goes on.
* It floors the delay of a deferred split to whole seconds, and the SDK sends a little less
  than was asked for: 1 s becomes none, hence 1.5 s.
* It cannot take a checkpoint while a bundle is open, and the splits of one subtask are read
  in turns: a streaming bundle is short.
* A failed job begins again at its last checkpoint, a bounded one at its beginning; what the
  ledger has is not read twice.
"""

from __future__ import annotations

import random
import socket
import sys
import time
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
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.runner import PipelineState

from runners import Runner, RunnerUnavailable, Submission, beam_private
from runners.beam_flags import refuse_ignored
from runners.flink_jobs import cause, main
from runners.flink_options import options_of
from runners.flink_rest import FlinkRefused, FlinkRest, FlinkUnreachable

beam_private.listen_on_loopback()

CONNECT_SECONDS = 10.0
SUBMIT_SECONDS = 120.0

OUTAGE_SECONDS = 60.0
"""No checkpoint passes while a bundle waits, and one that takes longer than 10 minutes fails the
job (Flink's execution.checkpointing.timeout and its tolerable-failed-checkpoints, 0). A bundle
waits once for its source and once for the database, and the splits of a subtask one after the
other: 60 s leave room for four."""


class _Submitting(PortableRunner):
    """Notes which jobs the cluster had before, to tell which one is new."""

    def run_portable_pipeline(self, pipeline: Any, options: PipelineOptions) -> Any:
        if not options.view_as(StandardOptions).streaming and _endless(pipeline):
            raise RunnerUnavailable(
                "this pipeline does not end by itself: it needs Beam's --streaming on Flink, or "
                "it would run without checkpoints"
            )
        master = options.view_as(FlinkRunnerOptions).flink_master
        rest = None if master.startswith("[") else FlinkRest(master)
        before = set() if rest is None else _jobs(rest)
        result = super().run_portable_pipeline(pipeline, options)
        result.flink, result.flink_before = rest, before
        return result


def _endless(pipeline: Any) -> bool:
    unbounded = beam_runner_api_pb2.IsBounded.UNBOUNDED
    return any(each.is_bounded == unbounded for each in pipeline.components.pcollections.values())


@contextmanager
def _pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    refuse_ignored("FlinkRunner", flags)
    options = options_of(flags)
    endpoint = options.view_as(PortableOptions).job_endpoint
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise RunnerUnavailable(
            f"no job server at --job_endpoint {endpoint} ({error}); is it running? "
            "`make flink-up` starts a local cluster with one"
        ) from error
    yield beam.Pipeline(runner=_Submitting(), options=options)


def _submitted(result: Any) -> Submission:
    """Wait until the cluster has the job; a job that fails before is left to be reported."""
    rest: FlinkRest | None = result.flink
    if rest is None:  # --job_endpoint alone: where the cluster is, its job server knows
        return Submission(result._job_id, None)
    deadline = time.monotonic() + SUBMIT_SECONDS
    while time.monotonic() < deadline:
        new = _jobs(rest) - result.flink_before
        if new:
            job = new.pop()
            return Submission(job, f"{rest.address}/#/job/{job}/overview")
        if PipelineState.is_terminal(result.state):
            break
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter
    return Submission(result._job_id, rest.address)


def _jobs(rest: FlinkRest) -> set[str]:
    try:
        return {each["id"] for each in rest.get("/jobs")["jobs"]}
    except (FlinkUnreachable, FlinkRefused) as error:
        raise RunnerUnavailable(str(error)) from error


def _explained(text: str) -> str:
    if "JobCancellationException" in text:
        return "the job was cancelled; what is committed stays, and the next run goes on there"
    return f"the job failed: {cause(text)} (`python -m runners.flink status` has more)"


def _tune_process() -> None:
    """Nothing: the workers are other processes."""


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
    submitted=_submitted,
)


if __name__ == "__main__":
    sys.exit(main())
