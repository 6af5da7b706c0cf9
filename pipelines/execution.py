"""Run a pipeline on the chosen runner: what every program here shares."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import apache_beam as beam
from apache_beam.metrics import MetricsFilter

from pipelines.telemetry import progress
from runners.runner import Runner, RunnerUnavailable, Submission
from runners.signals import stop_on_signals
from sinks.control import polling
from sinks.database import leases
from sinks.runs import heartbeat
from transforms import metrics
from transforms.batch.coverage import Ledger
from transforms.batch.splits import Source
from transforms.errors import ConfigError, DeadBudgetExceeded, SluiceError, from_text
from transforms.per_process import PerProcess
from transforms.read import drain
from transforms.read.control import Controls
from transforms.read.read import ReadSplits
from transforms.read.readers import READERS
from transforms.read.reading import Pacing
from transforms.settle import acknowledge
from transforms.steps.attempt import close_steps

_TURNS: PerProcess[None, threading.Lock] = PerProcess(lambda _: threading.Lock())


@contextmanager
def alone() -> Iterator[None]:
    """Let no other thread of this process run a pipeline during the block.

    Counters, notes, readers, leases and the wish to stop belong to the process. Two pipelines would
    count each other's records, and the first to end would close what the other reads from.

    Raises:
        ConfigError: Another thread runs one, or its worker processes cannot be started.
    """
    turn = _TURNS.get(None)
    if not turn.acquire(blocking=False):
        raise ConfigError(
            "another thread of this process runs a pipeline; start each in a process of its own"
        )
    try:
        yield
    except RunnerUnavailable as error:
        raise ConfigError(str(error)) from error
    finally:
        turn.release()


@contextmanager
def empty_pipeline(runner: Runner, flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    """An empty pipeline of ``runner``.

    Raises:
        ConfigError: The runner cannot be started or reached.
    """
    with ExitStack() as stack:
        try:
            pipeline = stack.enter_context(runner.pipeline(flags))
        except RunnerUnavailable as error:
            raise ConfigError(str(error)) from error
        yield pipeline


def reading(
    runner: Runner,
    sources: Sequence[Source],
    ledger: Ledger,
    *,
    streaming: bool,
    most_records: int | None = None,
    controls: Controls | None = None,
    planned_elsewhere: Collection[str] = (),
) -> ReadSplits:
    """The transform that reads ``sources`` in the way that suits ``runner``.

    Args:
        runner: The runner.
        sources: What is read.
        ledger: Knows what is settled.
        streaming: Whether to read forever.
        most_records: The most records of a batch; None leaves it to the sources.
        controls: What operators ask of the pipeline; None where nobody can ask.
        planned_elsewhere: The URIs of sources whose splits another process assigns to this one.

    Raises:
        ConfigError: A source was not made for ``streaming``.
    """
    pacing = Pacing(
        bundle_seconds=runner.streaming_bundle_seconds if streaming else None,
        resume_seconds=runner.resume_seconds,
        most_records=most_records,
    )
    return ReadSplits(
        *(sources, ledger, pacing),
        streaming=streaming,
        spread=runner.parallel and not planned_elsewhere,
        controls=controls,
        planned_elsewhere=planned_elsewhere,
    )


def released() -> None:
    """Close the clients of steps, acknowledge what is settled, and release the jobs that are held."""
    close_steps()
    acknowledge.flush()
    leases.release_all()
    heartbeat.stop_all()
    polling.stop_all()


def execute(
    pipeline: beam.Pipeline,
    runner: Runner,
    *,
    release: Callable[[], object] = released,
    display: progress.Mode = "none",
    sources: Sequence[Source] = (),
    streaming: bool = False,
    submitted: Callable[[Submission], object] | None = None,
    stop: Callable[[], None] = drain.request,
) -> tuple[Counter[str], list[str]]:
    """Run a finished pipeline to its end.

    Args:
        pipeline: The pipeline, made by ``runner``.
        runner: What runs it.
        release: Called at the end, however it ends; releases what this process holds. By default,
            what is settled is acknowledged to its source, and held jobs are released.
        display: How to show how far it is.
        sources: Of which it is shown how far each is.
        streaming: Whether it goes on after everything has been read.
        submitted: Called with the job once a cluster has accepted it.
        stop: Called when a signal asks a pipeline of this process to stop.

    Returns:
        The pipeline's counters, and the names of the signals that asked it to stop.

    Raises:
        SluiceError: The cluster can no longer be reached.
    """
    drain.reset()
    metrics.reset()
    runner.tune_process()
    drained = runner.drained_by_signals
    stopping = stop_on_signals(stop) if drained else nullcontext(list[str]())
    with stopping as signals, progress.shown(display, sources, streaming=streaming):
        try:
            result = pipeline.run()
            if runner.submitted is not None:
                submission = runner.submitted(result)
                if submission is not None:
                    announce(submission)
                    if submitted is not None:
                        submitted(submission)
            if runner.finished is not None:
                runner.finished(result, cannot_heal)
            else:
                result.wait_until_finish()
        except RunnerUnavailable as error:
            raise SluiceError(str(error)) from error
        except RuntimeError as error:  # Beam raises it for a job that failed elsewhere
            raise _explained(runner, error) from error
        finally:
            READERS.close()
            release()
    # Prism loses the counters of bundles that end before it has asked for their names (its
    # jobservices/metrics.go, unprocessedPayloads). Where the readers run in this process, its own
    # tally is complete.
    return Counter(metrics.tally()) if drained else _counters(result), signals


def _counters(result: Any) -> Counter[str]:
    """This project's counters of a finished pipeline, summed over its steps."""
    counters: Counter[str] = Counter()
    query = result.metrics().query(MetricsFilter().with_namespace(metrics.NAMESPACE))
    for metric in query["counters"]:
        counters[metric.key.metric.name] += metric.result or 0
    return counters


def submit(pipeline: beam.Pipeline, runner: Runner) -> Submission:
    """Hand a finished pipeline to the cluster, and leave it there once it runs.

    Raises:
        SluiceError: The cluster refuses the job, or it failed before it ran.
    """
    assert runner.started is not None, "--detach is checked with the options"  # noqa: S101
    try:
        return runner.started(pipeline.run(), cannot_heal)
    except RunnerUnavailable as error:
        raise SluiceError(str(error)) from error
    except RuntimeError as error:  # as in execute()
        raise _explained(runner, error) from error


def _explained(runner: Runner, error: RuntimeError) -> Exception:
    """The error to report for a job that failed elsewhere."""
    if runner.explained is None:
        return error
    cause = from_text(str(error))
    if cause is not None:  # of this project, raised where the cluster ran it
        return type(cause)(f"on a worker: {cause}")
    return SluiceError(runner.explained(str(error)))


def cannot_heal(text: str) -> bool:
    """Whether a failure, as its text says, comes again with every attempt until a person acts.

    In one process, such an error ends the run at once.
    """
    return isinstance(from_text(text), ConfigError | DeadBudgetExceeded)


def announce(job: Submission) -> None:
    """Say where to find the job, which goes on when this process ends."""
    where = f" at {job.address}" if job.address else ""
    print(f"job {job.job}{where}", file=sys.stderr)
