"""What is different from runner to runner, and nothing else knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import apache_beam as beam

_MODULES = {
    "DirectRunner": "runners.direct",
    "PrismRunner": "runners.prism.runner",
    "FlinkRunner": "runners.flink.runner",
}

NAMES = tuple(_MODULES)
"""Every runner there is, as ``--runner`` takes it."""


class RunnerUnavailable(Exception):
    """The runner cannot be started on this machine; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that a cluster runs, whether or not this process waits for it.

    Attributes:
        job: Its id.
        address: Where people can look at it, or None if that is not known.
    """

    job: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Resumption:
    """The state of an earlier job, which a new one is to go on from.

    Attributes:
        given: The option and its value, for messages.
        job: The id of that job, or how it begins; None where the state's name does not say.
    """

    given: str
    job: str | None


@dataclass(frozen=True, slots=True)
class Runner:
    """One runner, and all that the rest of the program has to know about it.

    Attributes:
        name: As ``--runner`` takes it.
        pipeline: Makes an empty pipeline from Beam's own flags. What the runner needs
            beside it lives as long as the context; metrics are read within it. Raises
            ``RunnerUnavailable``.
        parallel: Whether many readers read at once, each a split of its own.
        streaming_bundle_seconds: How long a streaming split keeps its bundle open.
        drained_by_signals: Whether the readers run in this process, so that a signal to it
            can ask them to stop.
        tune_process: Sets up a process that does nothing but run a pipeline.
        resume_seconds: Asked of the runner before a streaming split that had its time, or has
            nothing to read, goes on.
        outage_budget: Seconds to wait in place for a service that is away, unless the user says
            otherwise.
        explained: What the text of a failure of ``wait_until_finish()`` means, in one line.
        submitted: Takes what ``run()`` has returned, and waits until the cluster has the job;
            None where the pipeline ends with this process. It returns None for a job that has
            failed before, or whose id cannot be found in time. A runner that has it takes
            Beam's ``--streaming`` and ``--job_name`` too.
        started: Takes the same of a job that nobody is going to wait for, and waits until it
            runs. It raises ``RunnerUnavailable`` for one that is not known to, and what
            ``wait_until_finish()`` raises for one that has failed.
        resumed: What Beam's own flags say that the job is to go on from.
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
    started: Callable[[Any], Submission] | None = None
    resumed: Callable[[Sequence[str]], Resumption | None] | None = None


def named(name: str) -> Runner:
    """The runner of that name; only its own module is imported.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    if name not in _MODULES:
        raise ValueError(f"unknown runner {name!r}: use one of {', '.join(NAMES)}")
    runner: Runner = import_module(_MODULES[name]).RUNNER
    return runner
