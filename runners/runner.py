"""The contract between a runner and the rest of the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what only names the runners, such as --help, does not wait for Beam
    import apache_beam as beam

_MODULES = {
    "DirectRunner": "runners.direct",
    "PrismRunner": "runners.prism.runner",
    "FlinkRunner": "runners.flink.runner",
}

NAMES = tuple(_MODULES)
"""Every runner, as ``--runner`` takes it."""


class RunnerUnavailable(Exception):
    """The runner cannot be started here; the message says in one line what is missing."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job on a cluster, whether or not this process waits for it.

    Attributes:
        job: Its id.
        address: Where people can look at it, or None if that is not known.
    """

    job: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Resumption:
    """The state of an earlier job, from which a new job goes on.

    Attributes:
        option: The option and its value, for messages.
        job: The id of the earlier job, or how it begins; None if the state's name does not say.
    """

    option: str
    job: str | None


@dataclass(frozen=True, slots=True)
class Runner:
    """One runner, and everything that the rest of the program has to know about it.

    Attributes:
        name: As ``--runner`` takes it.
        pipeline: Makes an empty pipeline from Beam's own flags. What the runner needs besides
            lives as long as the context, so metrics are read within it. Raises
            ``RunnerUnavailable``.
        parallel: Whether many readers read at once, each a split of its own.
        streaming_bundle_seconds: How long a streaming split keeps its bundle open.
        drained_by_signals: Whether the readers run in this process, so that a signal to it
            can ask them to stop.
        tune_process: Sets up a process that only runs a pipeline.
        resume_seconds: How long the runner is asked to wait before it resumes a streaming split
            whose time is up, or which has nothing to read.
        outage_budget: Seconds to wait in place for a service that is away, unless the user says
            otherwise.
        explained: Turns the text of an error from ``wait_until_finish()`` into one line that
            says what it means.
        submitted: Takes the result of ``run()`` and waits until the cluster has the job. Returns
            None for a job that has failed before that, or whose id cannot be found in time. Only
            a remote runner has it.
        started: Takes the result of ``run()`` for a job that nobody is going to wait for, and
            waits until it runs. Raises ``RunnerUnavailable`` if that cannot be found out, and
            what ``wait_until_finish()`` raises if the job has failed. Its second argument tells
            from the text of a failure whether no other attempt can heal it: the job is then
            cancelled and has failed.
        finished: The same for ``wait_until_finish()``, for a runner that starts failed jobs again.
        resumed: The earlier state from which Beam's own flags tell the job to go on.
    """

    name: str
    pipeline: Callable[[Sequence[str]], AbstractContextManager[beam.Pipeline]]
    parallel: bool
    streaming_bundle_seconds: float
    drained_by_signals: bool
    tune_process: Callable[[], None]
    resume_seconds: float = 0.0
    outage_budget: float = 300.0
    explained: Callable[[str], str] | None = None
    submitted: Callable[[Any], Submission | None] | None = None
    started: Callable[[Any, Callable[[str], bool]], Submission] | None = None
    finished: Callable[[Any, Callable[[str], bool]], None] | None = None
    resumed: Callable[[Sequence[str]], Resumption | None] | None = None

    @property
    def remote(self) -> bool:
        """Whether a cluster runs the pipeline, and goes on when this process ends.

        Such a runner also takes Beam's ``--streaming`` and ``--job_name``.
        """
        return self.submitted is not None


def named(name: str) -> Runner:
    """The runner of that name; only its own module is imported.

    Raises:
        ValueError: There is no such runner; the message lists the existing ones.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown runner {name!r}: use one of {', '.join(NAMES)}")
    runner: Runner = import_module(_MODULES[name]).RUNNER
    return runner
