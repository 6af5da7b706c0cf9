"""From options to how the program runs, apart from the pipeline itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipelines import command
from pipelines.ingestion.config import RunConfig
from pipelines.ingestion.flags import parser
from pipelines.running import cluster
from pipelines.telemetry.progress import Mode, mode_of
from runners.runner import Runner
from runners.workers.cores import usable_cores
from sinks.database.dialects import dialect_named
from transforms.errors import ConfigError
from transforms.secrets import redact

MOST_WORKERS = 256
"""The most worker processes of a machine with few cores."""

MOST_OF_A_CORE = 16
"""The most worker processes for each core, where that is more."""


def run_config(flags: argparse.Namespace, runner: Runner, rest: Sequence[str]) -> RunConfig:
    """How the program runs.

    Args:
        flags: The options.
        runner: What runs the pipeline.
        rest: The options that are Beam's.

    Raises:
        ConfigError: It names an option that does not fit the runner, or a file that cannot be written.
    """
    cluster.check_detach(flags, runner, rest)
    beam_options = list(rest)
    if runner.remote:
        cluster.refuse_relative_paths("--source", flags.source, runner)
        if flags.dead_letters is not None:
            cluster.refuse_relative_paths("--dead_letters", [flags.dead_letters], runner)
        cluster.refuse_local_database(flags.state or flags.sink, runner)
        name = f"ingest-{flags.table or flags.pipeline or 'objects'}"
        beam_options += cluster.job_options(name, rest, streaming=flags.streaming)
    return RunConfig(
        runner=runner,
        beam_options=tuple(beam_options),
        summary_json=command.summary_path(flags.summary_json),
        fail_on_dead_letters=flags.fail_on_dead_letters,
        progress=_progress(flags),
        detach=flags.detach,
        metrics_address=_metrics_address(flags, runner),
        workers=flags.workers,
        options=_given_options(flags),
    )


def with_workers(flags: argparse.Namespace, runner: Runner) -> Runner:
    """The runner as it reads with ``--workers``, of which 0 becomes the number of cores.

    Raises:
        ConfigError: The runner has its own workers, the database lets one process in, or they are too many.
    """
    if flags.workers == 1:
        return runner
    if runner.name != "DirectRunner":
        how = "--parallelism" if runner.remote else "DirectRunner"
        raise ConfigError(
            f"--workers: {runner.name} starts no processes of its own here; use {how}"
        )
    if flags.workers == 0:
        flags.workers = usable_cores()
    if flags.workers == 1:
        return runner
    most = max(MOST_WORKERS, MOST_OF_A_CORE * usable_cores())
    if flags.workers > most:
        raise ConfigError(
            f"--workers {flags.workers}: this machine takes at most {most}; 0 is one for each core"
        )
    url = flags.state or flags.sink
    backend = str(url).partition(":")[0].partition("+")[0]
    if dialect_named(backend).one_process:
        raise ConfigError(
            f"--workers {flags.workers}: {backend} lets one process at a time into a database; leave it out"
        )
    return replace(runner, parallel=True)


def _progress(flags: argparse.Namespace) -> Mode:
    asked = "none" if flags.no_progress and flags.progress == "auto" else flags.progress
    return mode_of(asked)


def _metrics_address(flags: argparse.Namespace, runner: Runner) -> tuple[str, int] | None:
    address: tuple[str, int] | None = flags.metrics_address
    if address is not None and not runner.drained_by_signals:
        raise ConfigError(
            f"--metrics_address: with {runner.name}, records are read by other processes than this "
            "one; `sluice exporter --sink URL` shows the figures of every runner"
        )
    return address


def _given_options(flags: argparse.Namespace) -> dict[str, Any]:
    """The options that differ from their defaults, without secrets."""
    defaults = vars(parser().parse_known_args([])[0])
    options = {name: value for name, value in vars(flags).items() if value != defaults.get(name)}
    return {name: _without_secrets(name, value) for name, value in options.items()}


def _without_secrets(name: str, value: Any) -> Any:
    if name in ("kafka_config", "schema_registry_config"):  # any setting may be a secret
        return [text.partition("=")[0] for text in value]
    if name in ("map", "schema", "routes") and not isinstance(value, str):
        return "in the pipeline file" if hasattr(value, "place") else "of the program"
    if isinstance(value, dict):
        return {redact(key): _without_secrets(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets("", part) for part in value]
    return redact(value) if isinstance(value, str) else value
