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

import logging
import random
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from runners import beam_private
from runners.beam_flags import refuse_ignored
from runners.flink.jobs import cause
from runners.flink.options import FlinkJobServerOptions, options_of, resumed
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.runner import Runner, RunnerUnavailable, Submission

_log = logging.getLogger(__name__)

beam_private.listen_on_loopback()

CONNECT_SECONDS = 10.0
SUBMIT_SECONDS = 120.0
START_SECONDS = 120.0

OUTAGE_SECONDS = 60.0
"""No checkpoint passes while a bundle waits, and one that takes longer than 10 minutes fails the
job (Flink's execution.checkpointing.timeout and its tolerable-failed-checkpoints, 0). A bundle
waits once for its source and once for the database, and the splits of a subtask one after the
other: 60 s leave room for four."""


@dataclass(frozen=True, slots=True)
class _Marked:
    """How a job is known among all those of its cluster.

    Others may submit jobs of the same name at the same time, so each has a mark of its own among
    its options, which Beam hands on and Flink shows.

    Attributes:
        rest: The cluster; None where only its job server knows it.
        mark: No other job has it.
        others: The jobs that the cluster had before, or that are known to have another mark.
    """

    rest: FlinkRest | None
    mark: str
    others: set[str]

    def find(self) -> str | None:
        """The id of the job; None while the cluster does not show it."""
        assert self.rest is not None, "its job server alone knows the job"  # noqa: S101
        for job in _jobs(self.rest) - self.others:
            told = _told(self.rest, job)
            if told.get("sluiceSubmission") == self.mark:
                return job
            if told:
                self.others.add(job)
        return None


class _Submitting(PortableRunner):
    """Marks each job."""

    def run_portable_pipeline(self, pipeline: Any, options: PipelineOptions) -> Any:
        if not options.view_as(StandardOptions).streaming and _endless(pipeline):
            raise RunnerUnavailable(
                "this pipeline does not end by itself: it needs Beam's --streaming on Flink, or "
                "it would run without checkpoints"
            )
        master = options.view_as(FlinkRunnerOptions).flink_master
        rest = None if master.startswith("[") else _rest(master)
        marked = _Marked(rest, uuid.uuid4().hex, set() if rest is None else _jobs(rest))
        options.view_as(FlinkJobServerOptions).sluice_submission = marked.mark
        result = super().run_portable_pipeline(pipeline, options)
        result.marked = marked
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


def _submitted(result: Any) -> Submission | None:
    """Wait until the cluster has the job; a job that fails before is left to be reported."""
    found = _found(result)
    if found is None and not PipelineState.is_terminal(result.state):
        _log.warning("%s", _unknown(result.marked))
    return found


def _found(result: Any) -> Submission | None:
    marked: _Marked = result.marked
    if marked.rest is None:  # --job_endpoint alone: where the cluster is, its job server knows
        return Submission(result._job_id, None)
    deadline = time.monotonic() + SUBMIT_SECONDS
    while True:
        over = PipelineState.is_terminal(result.state) or time.monotonic() > deadline
        job = marked.find()  # once more after it has ended: a bounded one may do so at once
        if job is not None:
            return Submission(job, f"{marked.rest.address}/#/job/{job}/overview")
        if over:
            return None
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter


def _unknown(marked: _Marked) -> str:
    assert marked.rest is not None, "its job server says what it calls the job"  # noqa: S101
    return (
        f"the job was submitted, but {marked.rest.address} did not show it within "
        f"{SUBMIT_SECONDS:.0f} s, so its id is not known; it may run: "
        "`python -m runners.flink status` lists all jobs"
    )


def _started(result: Any) -> Submission:
    """Wait until all of the job runs: a savepoint that is not there fails it before."""
    submission = _found(result)
    if submission is None:
        if PipelineState.is_terminal(result.state):
            result.wait_until_finish()
        raise RunnerUnavailable(_unknown(result.marked))
    rest: FlinkRest | None = result.marked.rest
    deadline = time.monotonic() + START_SECONDS
    while rest is not None:
        job = _asked(rest, f"/jobs/{submission.job}")
        if job["state"] in ("FAILED", "CANCELED"):
            result.wait_until_finish()
        tasks = {each["status"] for each in job["vertices"]}
        if job["state"] == "FINISHED" or (tasks and tasks <= {"RUNNING", "FINISHED"}):
            break
        if time.monotonic() > deadline:
            _log.warning(
                "job %s does not run yet after %.0f s: it is %s, its tasks %s "
                "(`python -m runners.flink status` has more)",
                *(submission.job, START_SECONDS, job["state"], ", ".join(sorted(tasks)) or "none"),
            )
            break
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter
    return submission


def _rest(master: str) -> FlinkRest:
    try:
        return FlinkRest(master)
    except FlinkUnreachable as error:
        raise RunnerUnavailable(str(error)) from error


def _asked(rest: FlinkRest, path: str) -> Any:
    try:
        return rest.get(path)
    except (FlinkUnreachable, FlinkRefused) as error:
        raise RunnerUnavailable(str(error)) from error


def _jobs(rest: FlinkRest) -> set[str]:
    return {each["id"] for each in _asked(rest, "/jobs")["jobs"]}


def _told(rest: FlinkRest, job: str) -> dict[str, str]:
    """The options of a job; none while it is beginning, and of one that failed before it began."""
    try:
        found = rest.get(f"/jobs/{job}/config")
    except FlinkRefused:
        return {}
    except FlinkUnreachable as error:
        raise RunnerUnavailable(str(error)) from error
    options: dict[str, str] = found.get("execution-config", {}).get("user-config", {})
    return options


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
    started=_started,
    resumed=resumed,
)
