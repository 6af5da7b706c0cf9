"""The entry of a run in the table of runs: made when it begins, and closed when it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from pipelines import command
from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.terminal import say
from sinks.runs.runs import Outcome, Run
from sources.ownership import pattern_of
from transforms.errors import SluiceError
from transforms.secrets import redact


@dataclass(slots=True)
class Ending:
    """How a run ends, unless an error ends it.

    Attributes:
        outcome: How; None leaves it open, since a job goes on elsewhere.
        message: What went wrong; empty for nothing.
    """

    outcome: Outcome | None = "completed"
    message: str = ""


@contextmanager
def entered(entry: Run) -> Iterator[Ending]:
    """Enter a run while the block runs, and note how it ended.

    A run that was interrupted, or whose end cannot be noted, will be shown as lost.

    Yields:
        Its ending, for the block to say more.

    Raises:
        SluiceError: It cannot be entered.
    """
    entry.begin()
    ending = Ending()
    try:
        yield ending
    except Exception as error:
        ending.outcome, ending.message = "failed", command.line_of(error)
        raise
    finally:
        interrupted = isinstance(sys.exception(), KeyboardInterrupt)
        if ending.outcome is not None and not interrupted:
            _close(entry, ending.outcome, ending.message)


def entry_of(run_id: str, config: IngestConfig, run: RunConfig) -> Run:
    """The entry of a run that is about to begin."""
    return Run(
        id=run_id,
        config=config.sql,
        pipeline=config.pipeline.name,
        runner=run.runner.name,
        version=program_version(),
        options={**run.options, "sources": _sources(config)},
        streaming=config.streaming,
        pipeline_version=config.pipeline.version,
    )


def _sources(config: IngestConfig) -> list[dict[str, str]]:
    """What is read, with a pattern of its names in the ledger."""
    return [
        {"uri": redact(source.uri), "pattern": redact(pattern_of(source.uri))}
        for source in config.sources
    ]


def program_version() -> str:
    """The version of this program."""
    try:
        return version("sluice")
    except PackageNotFoundError:  # a checkout that is not installed
        return "unknown"


def _close(entry: Run, outcome: Outcome, message: str) -> None:
    try:
        entry.end(outcome, message)
    except SluiceError as error:
        say(f"ingest: the end of run {entry.id} is not noted: {error}")
