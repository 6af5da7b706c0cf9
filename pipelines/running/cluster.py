"""What must be true of a command line whose pipeline runs on a cluster, not in this process."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

from runners.runner import Runner
from sinks.database.dialects import dialect_named
from transforms.errors import ConfigError


def job_options(name: str, beam_options: Sequence[str], *, streaming: bool) -> Iterator[str]:
    """Beam's own options that the cluster needs, because Beam does not see our flags.

    Args:
        name: What to call the job unless ``beam_options`` names it.
        beam_options: Beam's options that the user gave.
        streaming: Whether the pipeline goes on forever.
    """
    if streaming:
        yield "--streaming"
    if not any(option.split("=", 1)[0] == "--job_name" for option in beam_options):
        yield f"--job_name={name}"


def check_detach(flags: argparse.Namespace, runner: Runner, beam_options: Sequence[str]) -> None:
    """Refuse ``--detach`` where the pipeline cannot go on without this process.

    Raises:
        ConfigError: It names the option that contradicts ``--detach``.
    """
    if not flags.detach:
        return
    if not runner.remote:
        raise ConfigError(f"--detach: with {runner.name} the pipeline ends with this process")
    if flags.summary_json or flags.fail_on_dead_letters:
        raise ConfigError(
            "--detach does not wait for the results that --summary_json and "
            "--fail_on_dead_letters need"
        )
    portable = PipelineOptions(list(beam_options)).view_as(PortableOptions)
    if portable.environment_type == "LOOPBACK":
        raise ConfigError(
            "--detach: with --environment_type LOOPBACK the workers are this process and end with it"
        )


def refuse_relative_paths(option: str, uris: Sequence[str], runner: Runner) -> None:
    """Refuse paths that each worker would resolve against a working directory of its own.

    A glob that matches here and nothing there would be a run that reads nothing and succeeds.

    Raises:
        ConfigError: One of ``uris`` is a relative path.
    """
    for uri in uris:
        if "://" not in uri and not uri.startswith("/"):
            raise ConfigError(
                f"{option} {uri}: the workers of {runner.name} have working directories of "
                "their own; write an absolute path that all of them have"
            )


def refuse_local_database(sink: str, runner: Runner) -> None:
    """Refuse a database file that each worker would find, or create, somewhere else, or that one alone can open.

    Raises:
        ConfigError: ``sink`` is such a file.
    """
    backend = sink.partition(":")[0].partition("+")[0]
    if dialect_named(backend).one_process:
        raise ConfigError(
            f"--sink {sink}: one process at a time can have a {backend} database, and {runner.name} "
            "has several; use --runner DirectRunner, or postgresql://…"
        )
    if re.match(r"sqlite(\+\w+)?:///?(?!/)", sink):
        raise ConfigError(
            f"--sink {sink}: the workers of {runner.name} need one database; use "
            "postgresql://…, or for tests on one machine sqlite:////absolute/path.db"
        )
