"""Run a pipeline on whichever runner was asked for: what every program here has in common."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext

import apache_beam as beam

from pipelines import progress, summary
from runners.runner import Runner, RunnerUnavailable, Submission
from runners.signals import stop_on_signals
from transforms import metrics
from transforms.batch.coverage import Ledger
from transforms.batch.splits import Source
from transforms.errors import ConfigError, SluiceError, from_text
from transforms.read import drain
from transforms.read.read import Pacing, ReadSplits
from transforms.read.readers import READERS


@contextmanager
def empty_pipeline(runner: Runner, flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    """A pipeline of the runner's; what the runner lacks is a mistake of the command line.

    Raises:
        ConfigError: The runner cannot be started, or reached.
    """
    with ExitStack() as stack:
        try:
            pipeline = stack.enter_context(runner.pipeline(flags))
        except RunnerUnavailable as error:
            raise ConfigError(str(error)) from error
        yield pipeline


def reading(
    runner: Runner, sources: Sequence[Source], ledger: Ledger, *, streaming: bool
) -> ReadSplits:
    """Read ``sources`` as it is best done on ``runner``."""
    pacing = Pacing(
        bundle_seconds=runner.streaming_bundle_seconds if streaming else None,
        resume_seconds=runner.resume_seconds,
    )
    return ReadSplits(sources, ledger, pacing, streaming=streaming, spread=runner.parallel)


def execute(
    pipeline: beam.Pipeline,
    runner: Runner,
    *,
    release: Callable[[], object],
    shown: bool = False,
    noted: Callable[[Submission], object] | None = None,
) -> tuple[Counter[str], list[str]]:
    """Run a pipeline that has been built to its end.

    Args:
        pipeline: Of ``runner``'s.
        runner: What runs it.
        release: Called at the end, however it ends: gives up what this process holds.
        shown: Whether to show a progress bar.
        noted: Takes the job that a cluster has made of it.

    Returns:
        Its counters, and the names of the signals that asked it to stop.

    Raises:
        SluiceError: The cluster cannot be reached any more.
    """
    drain.reset()
    metrics.reset()
    runner.tune_process()
    drained = runner.drained_by_signals
    stopping = stop_on_signals(drain.request) if drained else nullcontext(list[str]())
    with stopping as signals, progress.shown(shown):
        try:
            result = pipeline.run()
            if runner.submitted is not None:
                submission = runner.submitted(result)
                if submission is not None:
                    announce(submission)
                    if noted is not None:
                        noted(submission)
            result.wait_until_finish()
        except RunnerUnavailable as error:
            raise SluiceError(str(error)) from error
        except RuntimeError as error:  # Beam's, of a job that has failed elsewhere
            raise _explained(runner, error) from error
        finally:
            READERS.close()
            release()
    # Prism loses counters of bundles that end before it has asked what they are called (its
    # jobservices/metrics.go, unprocessedPayloads); where all is in this process, it knows better.
    return Counter(metrics.tally()) if drained else summary.counters(result), signals


def submit(pipeline: beam.Pipeline, runner: Runner) -> Submission:
    """Hand a pipeline that has been built to the cluster, and leave it there once it runs.

    Raises:
        SluiceError: The cluster does not take it, or it failed before it ran.
    """
    assert runner.started is not None, "the options are checked"  # noqa: S101
    try:
        return runner.started(pipeline.run())
    except RunnerUnavailable as error:
        raise SluiceError(str(error)) from error
    except RuntimeError as error:  # as in execute()
        raise _explained(runner, error) from error


def _explained(runner: Runner, error: RuntimeError) -> Exception:
    """What Beam's error of a job that has failed means."""
    if runner.explained is None or from_text(str(error)) is not None:
        return error
    return SluiceError(runner.explained(str(error)))


def announce(job: Submission) -> None:
    """Say how the job is found: it goes on when this process ends."""
    where = f" at {job.address}" if job.address else ""
    print(f"job {job.job}{where}", file=sys.stderr)
