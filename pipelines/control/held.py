"""What a run does that an operator holds: one that ends does so with exit code 5, and a stream waits."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.operation.start import once_reachable
from pipelines.terminal import say
from sinks.control.requests import WHOLE, Requested


def holding(config: IngestConfig) -> Requested | None:
    """What holds the pipeline now, or a source of this run, asked of the database; None if it may read.

    Raises:
        SinkUnavailable: The database was away for longer than the outage budget.
    """
    once_reachable(config.controls.look, config.write.outage_budget)
    return next((row for row in config.controls.held() if _concerns(row, config)), None)


def _concerns(row: Requested, config: IngestConfig) -> bool:
    own = (source.uri == row.source or source.owns(row.source) for source in config.sources)
    return row.source == WHOLE or any(own)


def holds_all(row: Requested | None) -> bool:
    """Whether it holds every source."""
    return row is not None and row.source == WHOLE


def pauses_jobs(config: IngestConfig) -> bool:
    """Whether due jobs are not to be tried now."""
    row = holding(config)
    return row is not None and holds_all(row) and row.state == "paused"


def at_start(config: IngestConfig, run: RunConfig, row: Requested | None) -> IngestConfig:
    """What a run reads that begins while ``row`` holds it.

    A stream reads the same, later, and says so. A run that ends looks at no source if all are held.
    """
    if row is None:
        return config
    if config.streaming:
        waits = "it waits" if holds_all(row) else "that source waits"
        say(f"ingest: {row}; {waits} until: {resume_of(row, run)}")
        return config
    return replace(config, sources=()) if holds_all(row) else config


def line_of(row: Requested | None, run: RunConfig) -> str:
    """Why a run has ended before everything was read, and how it goes on."""
    if row is None:
        return (
            "the pipeline was paused while it ran, and is not any more; run again to read the rest"
        )
    return f"{row}; go on with: {resume_of(row, run)}"


def resume_of(row: Requested, run: RunConfig) -> str:
    """The command that lets the pipeline go on."""
    options: Mapping[str, object] = run.options
    parts = ["sluice", "resume", "--pipeline", row.pipeline]
    if row.source != WHOLE:
        parts += ["--source", row.source]
    return shlex.join([*parts, "--sink", str(options.get("state") or options.get("sink") or "URL")])
