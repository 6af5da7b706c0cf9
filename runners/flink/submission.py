"""Find the job that was just submitted, among those that others submit at the same time."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass
from typing import Any

from apache_beam.runners.runner import PipelineState

from runners.beam.private import job_id, mark_of
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.runner import RunnerUnavailable, Submission

_log = logging.getLogger(__name__)

SUBMIT_SECONDS = 120.0


@dataclass(slots=True)
class Marked:
    """How a job is recognized among all those of its cluster.

    Others may submit jobs of the same name at the same time, so each job has a mark of its own
    among its options, which Beam hands on and Flink shows.

    Attributes:
        rest: The cluster; None if only its job server knows it.
        mark: No other job has it.
        others: The jobs that the cluster had before, or whose mark is a different one.
        job: Its id, once ``find`` has returned it.
    """

    rest: FlinkRest | None
    mark: str
    others: set[str]
    job: str | None = None

    def find(self) -> str | None:
        """The id of the job; None while the cluster does not show it."""
        assert self.rest is not None, "its job server alone knows the job"  # noqa: S101
        for job in jobs_of(self.rest) - self.others:
            options = _options(self.rest, job)
            if options.get("sluiceSubmission") == self.mark:
                self.job = job
                return job
            if options:
                self.others.add(job)
        return None


def jobs_of(rest: FlinkRest) -> set[str]:
    """The ids of all jobs that the cluster shows.

    Raises:
        RunnerUnavailable: It does not answer.
    """
    return {job["id"] for job in get(rest, "/jobs")["jobs"]}


def submitted(result: Any) -> Submission | None:
    """Wait until the cluster has the job of ``result``.

    Returns:
        None for a job that failed before, which ``wait_until_finish()`` reports, or that the
        cluster did not show in time, which is logged.
    """
    submission = submission_of(result)
    if submission is None and not PipelineState.is_terminal(result.state):
        _log.warning("%s", not_shown(mark_of(result)))
    return submission


def submission_of(result: Any) -> Submission | None:
    """The job of ``result``, once the cluster shows it; None if it does not in time."""
    marked: Marked = mark_of(result)
    if marked.rest is None:  # --job_endpoint alone: its job server knows where the cluster is
        return Submission(job_id(result), None)
    deadline = time.monotonic() + SUBMIT_SECONDS
    while True:
        over = PipelineState.is_terminal(result.state) or time.monotonic() > deadline
        job = marked.find()  # once more after it has ended: a bounded job may end at once
        if job is not None:
            return Submission(job, f"{marked.rest.address}/#/job/{job}/overview")
        if over:
            return None
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter


def not_shown(marked: Marked) -> str:
    """A line on a job whose id is not known."""
    assert marked.rest is not None, "its job server says what it calls the job"  # noqa: S101
    return (
        f"the job was submitted, but {marked.rest.address} did not show it within "
        f"{SUBMIT_SECONDS:.0f} s, so its id is not known; it may run: "
        "`sluice flink status` lists all jobs"
    )


def get(rest: FlinkRest, path: str) -> Any:
    """The answer to ``GET path``.

    Raises:
        RunnerUnavailable: There is none, or it is a refusal.
    """
    try:
        return rest.get(path)
    except (FlinkUnreachable, FlinkRefused) as error:
        raise RunnerUnavailable(str(error)) from error


def _options(rest: FlinkRest, job: str) -> dict[str, str]:
    """The options of a job; empty while it begins, and if it failed before it began."""
    try:
        config = rest.get(f"/jobs/{job}/config")
    except FlinkRefused:
        return {}
    except FlinkUnreachable as error:
        raise RunnerUnavailable(str(error)) from error
    options: dict[str, str] = config.get("execution-config", {}).get("user-config", {})
    return options
