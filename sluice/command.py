"""``sluice NAME …``: find the command, import it alone, and run it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import NoReturn

from sluice.packages import hidden
from sluice.table import COMMANDS, Command

_USAGE = 2
_INTERRUPTED = 130

_EXAMPLES = """\
examples:
  sluice ingest --source './events/*.jsonl' --sink sqlite:///ingest.db --table events --key id
  sluice audit --sink sqlite:///ingest.db
  sluice dead-letters list --sink sqlite:///ingest.db
  sluice ingest --help"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    obstacle = hidden()
    if obstacle is not None:
        return _refuse(obstacle)
    from runners import streams

    with streams.lasting():
        return _main(list(sys.argv[1:] if argv is None else argv))


def program() -> NoReturn:
    """Run one command, and end the process with its exit code."""
    try:
        code = main()
    except KeyboardInterrupt:  # while it was imported; a command that runs says so itself
        print("sluice: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    if code == _USAGE:  # perhaps since another package hides this program's own
        sys.exit(code)
    from runners.leaving import leave

    leave(code)


def _main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version  # takes as long as everything else here

        print(f"sluice {version('sluice')}")
        return 0
    name = arguments[0].replace("_", "-")
    chosen = next((command for command in COMMANDS if command.name == name), None)
    if chosen is None:
        from pipelines import command

        return command.refuse("sluice", _unknown(arguments[0]), arguments)
    return _run(chosen, arguments[1:])


def _run(chosen: Command, argv: Sequence[str]) -> int:
    from pipelines import command
    from runners.parser import called_as

    with called_as(f"sluice {chosen.name}"):
        return command.run(chosen.name, chosen.load().main, argv)


def _help() -> str:
    width = max(len(command.name) for command in COMMANDS)
    lines = ["usage: sluice COMMAND [options]", "", "Durable ingestion on Apache Beam."]
    for group, commands in groupby(COMMANDS, key=lambda command: command.group):
        lines += ["", f"{group}:"]
        lines += [f"  {command.name:{width}}  {command.line}" for command in commands]
    lines += [
        *("", "options:"),
        f"  {'--help':{width}}  show this; after a command, show its options",
        f"  {'--version':{width}}  show the version",
        *("", "In names of commands and options, hyphens and underscores are the same."),
        *("", _EXAMPLES),
    ]
    return "\n".join(lines)


def _unknown(name: str) -> str:
    if name.startswith("-"):
        return f"name a command before the option {name} (--help lists them)"
    names = [command.name for command in COMMANDS]
    close = difflib.get_close_matches(name.replace("_", "-"), names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"use one of {', '.join(names)}"
    return f"there is no command {name!r}; {hint}"


def _refuse(line: str) -> int:
    print(f"sluice: {line}", file=sys.stderr)
    return _USAGE
