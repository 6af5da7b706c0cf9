"""The flags of every command that reads a pipeline file: its environment, settings and process."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping
from typing import Any

from pipelines.ingestion import flags as ingestion
from pipelines.pipeline_file.definition import PROCESS


def add_layers(parser: argparse._ActionsContainer) -> None:
    """Add ``--env`` and ``--set``."""
    parser.add_argument(
        "--env",
        metavar="NAME",
        help="lay the file of this environment over it: orders.NAME.yaml, which stands beside "
        "orders.yaml (default: none)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an option, which wins over the files; the value is YAML, and dots reach into mappings: "
        "runner_options.parallelism=4; may be repeated",
    )


def add_process(parser: argparse._ActionsContainer) -> None:
    """Add the options of ``ingest`` that are of the process, which win over file and settings."""
    for action in ingestion.parser().actions():
        if action.dest in PROCESS:
            own = copy.copy(action)
            own.default = argparse.SUPPRESS
            parser._add_action(own)


def process_options(flags: argparse.Namespace) -> Mapping[str, Any]:
    """The options of ``add_process`` that the user has set."""
    return {name: value for name, value in vars(flags).items() if name in PROCESS}
