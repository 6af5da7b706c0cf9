"""Run the pipeline of a file, or those of a folder.

    python -m pipelines.pipeline_file.run orders.yaml [--env prod] [--set max_rate=100]

Exit codes and summary are those of ``ingest``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines import command
from pipelines.ingestion.flags import EXITS
from pipelines.pipeline_file.layer_flags import add_layers, add_process, process_options
from pipelines.pipeline_file.loading import PipelineFile, load
from pipelines.telemetry import logs
from runners.beam.imports import import_beam
from runners.leaving import leave
from transforms.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.ingestion.config import IngestConfig, RunConfig

_DESCRIPTION = """\
Run the pipeline that a file describes: its keys are the options of `sluice ingest`.

Of a folder, run every pipeline file in it, each as a process of its own, for development: what each
prints begins with the name of its pipeline, and a signal ends all of them.

Of a folder, the exit code is the worst of all its pipelines."""

_EXAMPLES = """\
examples:
  %(prog)s orders.yaml
  %(prog)s orders.yaml --env prod --set max_rate=500
  %(prog)s pipelines/ --env dev"""


def parser() -> command.Parser:
    """The flags of ``sluice run``."""
    parser = command.Parser(
        prog="python -m pipelines.pipeline_file.run",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        exits=EXITS,
    )
    asked = parser.add_argument_group("what is run")
    asked.add_argument(
        "file", metavar="FILE", help="a pipeline file (docs/pipeline-file.md), or a folder of them"
    )
    add_layers(asked)
    add_process(parser.add_argument_group("the process (these win over the file)"))
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one pipeline, or those of a folder; returns the exit code."""
    flags = parser().parse_args(list(argv))
    if os.path.isdir(flags.file):
        from pipelines.pipeline_file import folder

        return folder.run(flags.file, flags.env, flags.set, process_options(flags))
    file = load(flags.file, flags.env, flags.set, process_options(flags))
    logs.set_up(_of_logs(file.flags))
    with command.importing():
        import_beam(file.runner_flags)
        from pipelines.ingestion import run

    return run.carry_out(*_configs(file))


def _of_logs(flags: argparse.Namespace) -> list[str]:
    """How the process logs, as the file and the flags say."""
    verbose = ["--verbose"] if flags.verbose else []
    return [*verbose, f"--log_level={flags.log_level}", f"--log_format={flags.log_format}"]


def _configs(file: PipelineFile) -> tuple[IngestConfig, RunConfig]:
    """The configuration; what is wrong is told in one line, with how much more there is."""
    try:
        return file.configs()
    except ConfigError as first:
        from pipelines.pipeline_file.validating import errors_in

        errors = errors_in(file) or [first]
        more = len(errors) - 1
        rest = f" (and {more} more: `sluice validate {file.path}` shows all)" if more else ""
        raise ConfigError(f"{errors[0]}{rest}") from first


if __name__ == "__main__":
    leave(command.run("run", main, None))
