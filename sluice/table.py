"""The commands: what each is for, and the module that has its ``parser`` and ``main``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: What the user types after ``sluice``.
        module: Has ``parser()``, and ``main(argv)`` that returns the exit code. It is imported
            only when the command is called, and imports nothing slow itself.
        group: What it is for, as the heading in ``sluice --help``.
        line: What it does, in one line.
        program: How it is called without ``sluice``.
    """

    name: str
    module: str
    group: str
    line: str
    program: str

    def load(self) -> Any:
        """Its module."""
        return import_module(self.module)


def _of_pipelines(name: str, group: str, line: str) -> Command:
    module = f"pipelines.{name.replace('-', '_')}"
    return Command(name, module, group, line, f"python -m {module}")


def _of_control(name: str, line: str) -> Command:
    module = f"pipelines.control.{name}"
    return Command(name, module, _STEER, line, f"python -m {module}")


def _of_file(name: str, group: str, line: str) -> Command:
    module = f"pipelines.pipeline_file.{name}"
    return Command(name, module, group, line, f"python -m {module}")


_MOVE, _TRY, _LOOK, _RUN, _MAINTAIN = "move data", "try", "look", "run", "maintain"
_STEER = "steer"

COMMANDS = (
    _of_pipelines("ingest", _MOVE, "read files, S3 objects or Kafka topics into tables or objects"),
    _of_file("run", _MOVE, "run the pipeline of a file, or those of a folder"),
    _of_pipelines("outbox", _MOVE, "publish the changes of a table to a Kafka topic"),
    _of_file("validate", _TRY, "say all that is wrong with a pipeline file"),
    Command(
        *("plan", "pipelines.planning.command", _TRY),
        "try the pipeline of a file on a sample, and take back what it writes",
        "python -m pipelines.planning.command",
    ),
    Command(
        *("init", "pipelines.proposal.init", _TRY),
        "propose a pipeline file for a source, from a sample of its records",
        "python -m pipelines.proposal.init",
    ),
    _of_pipelines("test", _TRY, "run cases of a file through a mapping, a schema and steps"),
    _of_pipelines("audit", _LOOK, "prove from the database that nothing was lost"),
    _of_pipelines("runs", _LOOK, "show which runs go on, have ended or are lost"),
    _of_pipelines("doctor", _LOOK, "say what is wrong with a database, and what to do"),
    Command(
        *("console", "pipelines.console.command", _LOOK),
        "see every pipeline in a browser, and repair dead letters",
        "python -m pipelines.console",
    ),
    _of_pipelines("exporter", _LOOK, "show figures of all pipelines to Prometheus"),
    _of_pipelines("dead-letters", _LOOK, "list, replay, cancel or purge records that failed"),
    _of_control("pause", "let a pipeline read nothing more until it is resumed"),
    _of_control("drain", "let a pipeline settle what it has read, and then read nothing more"),
    _of_control("resume", "let a pipeline go on after a pause or a drain"),
    _of_control("rate", "limit how fast a pipeline reads"),
    _of_control("rewind", "forget offsets, so that they are read again"),
    Command(
        *("flink", "sluice.flink", _RUN),
        "show, stop or cancel the jobs of a Flink cluster",
        "python -m sluice.flink",
    ),
    _of_pipelines("compact", _MAINTAIN, "merge small objects of a sink, and delete old ones"),
    _of_pipelines("ledger", _MAINTAIN, "forget files that are gone"),
    _of_pipelines("migrate", _MAINTAIN, "bring the tables beside yours to this version"),
    Command(
        *("completion", "sluice.completion", _MAINTAIN),
        "print a script that completes commands and options in your shell",
        "python -m sluice completion",
    ),
)
"""Every command, in the order of ``sluice --help``; those of a group stand together."""
