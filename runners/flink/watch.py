"""Follow a job from its submission until it runs or ends, and give up one that cannot heal.

Flink starts a failed job again whatever the error was. A Python worker cannot tell it not to, so the
submitting process looks at each failure while it waits, and cancels a job that nothing but a change
of its options or its workers can help.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from apache_beam.runners.runner import PipelineState

from runners.beam.private import mark_of
from runners.flink.failures import NO_SLOTS, Failure, last_failure
from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable
from runners.flink.submission import Marked, get, not_shown, submission_of
from runners.runner import RunnerUnavailable, Submission

_log = logging.getLogger(__name__)

START_SECONDS = 120.0
STEADY_SECONDS = 20.0
"""A stream that runs for so long without a failure is taken as started, checkpoint or not."""

POLL_SECONDS = 2.0
_LINES = 20
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named", re.MULTILINE)

Hopeless = Callable[[str], bool]
"""Whether the text of a failure is of a kind that no other attempt can heal."""


def started(result: Any, hopeless: Hopeless) -> Submission:
    """Wait until all of the job runs and, if it is a stream, has completed a checkpoint.

    A checkpoint passes behind the first bundles, so by then the workers have begun to read.

    Raises:
        RunnerUnavailable: The cluster did not show the job in time, or does not answer; or the job
            fails again and again, and was cancelled.
        RuntimeError: It has failed, or it cannot heal and was cancelled.
    """
    submission = submission_of(result)
    marked: Marked = mark_of(result)
    if submission is None:
        if PipelineState.is_terminal(result.state):
            result.wait_until_finish()
        raise RunnerUnavailable(not_shown(marked))
    if marked.rest is None:
        return submission
    start = _Start(marked.rest, submission.job, hopeless)
    deadline = time.monotonic() + START_SECONDS
    while not start.reached():
        if start.state in ("FAILED", "CANCELED"):
            result.wait_until_finish()
        if time.monotonic() > deadline:
            start.overdue()
            break
        time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - jitter
    return submission


@dataclass(slots=True)
class _Start:
    """What is known of a job that begins."""

    rest: FlinkRest
    job: str
    hopeless: Hopeless
    state: str = ""
    tasks: tuple[str, ...] = ()
    failure: Failure | None = None
    steady_since: float = field(default_factory=time.monotonic)

    def reached(self) -> bool:
        """Look at the job; whether it has started."""
        answer = get(self.rest, f"/jobs/{self.job}")
        self.state = answer["state"]
        self.tasks = tuple(sorted({vertex["status"] for vertex in answer["vertices"]}))
        before, self.failure = self.failure, _failure(self.rest, self.job)
        if self.failure is not None and self.failure != before:
            self._judge(self.failure, answer["vertices"])
        runs = bool(self.tasks) and set(self.tasks) <= {"RUNNING", "FINISHED"}
        if not runs or self.failure != before:
            self.steady_since = time.monotonic()
        if self.state == "FINISHED":
            return True
        return runs and (self._proven() or time.monotonic() - self.steady_since > STEADY_SECONDS)

    def overdue(self) -> None:
        """Say that the job takes long; cancel it if it has failed, as it would run unnoticed later.

        Raises:
            RunnerUnavailable: It has failed.
        """
        if self.failure is None:
            _log.warning(
                "job %s does not run yet after %.0f s: it is %s, its tasks %s "
                "(`sluice flink status` has more)",
                *(self.job, START_SECONDS, self.state, ", ".join(self.tasks) or "none"),
                extra={"flink_job": self.job, "seconds": START_SECONDS},
            )
            return
        cancelled(self.rest, self.job)
        raise RunnerUnavailable(
            f"job {self.job} did not come to run within {START_SECONDS:.0f} s and was cancelled: "
            f"{self.failure}"
        )

    def _judge(self, failure: Failure, vertices: list[dict[str, Any]]) -> None:
        if is_hopeless(failure, self.hopeless):
            cancelled(self.rest, self.job)
            raise RuntimeError(failure.stack)
        if NO_SLOTS in failure.stack:
            needed = max((vertex.get("parallelism", 1) for vertex in vertices), default=1)
            slots = get(self.rest, "/overview").get("slots-total", needed)
            if slots < needed:
                cancelled(self.rest, self.job)
                raise RunnerUnavailable(
                    f"job {self.job} needs {needed} slots (--parallelism), and the cluster has {slots}: "
                    "it was cancelled; lower --parallelism, or start more TaskManagers"
                )

    def _proven(self) -> bool:
        """Whether it has completed a checkpoint since its last failure; a bounded job has none."""
        try:
            completed = self.rest.get(f"/jobs/{self.job}/checkpoints")["latest"]["completed"]
        except FlinkRefused:
            return True
        except FlinkUnreachable as error:
            raise RunnerUnavailable(str(error)) from error
        after = 0 if self.failure is None else self.failure.at
        return completed is not None and completed["trigger_timestamp"] >= after


def finished(result: Any, hopeless: Hopeless) -> None:
    """Wait for the end of a job; say once what it survives, and cancel it if it cannot heal.

    Raises:
        RuntimeError: It has failed, or was cancelled.
    """
    marked: Marked = mark_of(result)
    if marked.rest is None or marked.job is None:
        result.wait_until_finish()
        return
    given_up: list[Failure] = []
    with _watched(marked.rest, marked.job, hopeless, given_up):
        try:
            result.wait_until_finish()
        except RuntimeError:
            if not given_up:
                raise
    if given_up:
        raise RuntimeError(given_up[0].stack)


@contextmanager
def _watched(
    rest: FlinkRest, job: str, hopeless: Hopeless, given_up: list[Failure]
) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        last: Failure | None = None
        shown: set[str] = set()
        while not over.wait(random.uniform(0.5, 1.0) * POLL_SECONDS):  # noqa: S311 - jitter
            with suppress(FlinkRefused, FlinkUnreachable, RunnerUnavailable):  # asked again
                failure = _failure(rest, job)
                if failure is None or failure == last:
                    continue
                last = failure
                if is_hopeless(failure, hopeless):
                    given_up.append(failure)
                    cancelled(rest, job)
                    return
                state = rest.get(f"/jobs/{job}")["state"]
                if state in ("RUNNING", "RESTARTING") and len(shown) < _LINES:
                    if str(failure) not in shown:
                        line = "Flink job %s starts again: %s"
                        _log.warning(line, job, failure, extra={"flink_job": job})
                    shown.add(str(failure))

    thread = threading.Thread(target=watch, name="flink-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_hopeless(failure: Failure, hopeless: Hopeless) -> bool:
    """Whether no other attempt can heal ``failure``."""
    return hopeless(failure.stack) or _NO_MODULE.search(failure.stack) is not None


def cancelled(rest: FlinkRest, job: str) -> None:
    """Cancel a job, unless it has ended by itself."""
    with suppress(FlinkRefused, FlinkUnreachable):
        rest.patch(f"/jobs/{job}?mode=cancel")


def _failure(rest: FlinkRest, job: str) -> Failure | None:
    try:
        return last_failure(rest, job)
    except FlinkRefused:  # it begins
        return None
    except FlinkUnreachable as error:
        raise RunnerUnavailable(str(error)) from error
