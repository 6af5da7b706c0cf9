"""Write docs/options.md and docs/pipeline.schema.json from the commands' parsers (``make reference``)."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pipelines.pipeline_file.json_schema import schema
from runners.flink.local import cluster
from sluice.table import COMMANDS
from tests.reference.page import COMMAND

PAGE = Path(__file__).resolve().parents[1] / "docs" / "options.md"
SCHEMA = PAGE.with_name("pipeline.schema.json")

_HEAD = f"""# Options of every command

`{COMMAND}` writes this page from the commands' own `--help`, and a test compares the two.

`sluice NAME` and `python -m MODULE` are the same program. Hyphens and underscores are the same in the names of commands and options.
An option that takes one value is given once; only those that say so may be repeated. `ingest` and `outbox` pass Beam's own options on
to the runner ([which of them a runner takes](operations.md)).
"""

_UNITS = {"S": "seconds", "N": "whole number"}
"""What the placeholder of a value stands for, where it says less than that."""

_DEFAULT = re.compile(r",? ?\(?default: ([^()]*(?:\([^()]*\)[^()]*)*)\)?")

_REQUIRED = re.compile("; required(?=$|,)")
"""What is said of an option that a command misses itself."""


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for command in COMMANDS:
        called = f"`sluice {command.name}`"
        if not command.program.startswith("python -m sluice"):
            called += f", `{command.program}`"
        parts += [f"## {command.name}\n", f"{called}\n", *_sections(command.load().parser())]
    local = cluster.parser()
    parts += ["## The local Flink cluster\n", f"`{local.prog}`\n", *_sections(local)]
    return "\n".join(parts)


def schema_text() -> str:
    """The text of the JSON Schema of pipeline files."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The description and the options of a parser, and of each action that it has."""
    for part in str(parser.description).split("\n\n"):
        example = "\n  " in part  # lines of a file, behind a line that says so
        yield (
            re.sub(r"\n  ", r"\n    ", part).replace("\n", "\n\n", 1) + "\n"
            if example
            else f"{part}\n"
        )
    yield from _tables(parser)
    for name, action in _actions(parser).items():
        yield f"### {name}\n"
        yield from _sections(action)


def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the actions that a command has, such as ``replay``."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _tables(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table for each group of options."""
    for group in parser._action_groups:
        options = [
            action
            for action in group._group_actions
            if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
        ]
        if not options:
            continue
        yield f"**{group.title}**\n"
        yield "| option | value | default | meaning |\n|---|---|---|---|"
        yield "\n".join(map(_row, options)) + "\n"


def _row(action: argparse.Action) -> str:
    text = (action.help or "") % {**vars(action), "prog": "sluice"}
    stated = _DEFAULT.search(text)
    meaning = _REQUIRED.sub("", _DEFAULT.sub("", text, count=1))
    names = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.dest}`"
    words = (_default(action, stated), meaning)
    cells = (names, _value(action), *(re.sub(r"[\\*]", r"\\\g<0>", word) for word in words))
    return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None and action.metavar is None:
        return ", ".join(f"`{choice}`" for choice in action.choices)
    if isinstance(action.metavar, str) and action.metavar in _UNITS:
        return _UNITS[action.metavar]
    return f"`{action.metavar or action.dest.upper()}`"


def _default(action: argparse.Action, stated: re.Match[str] | None) -> str:
    if action.required or _REQUIRED.search(action.help or ""):
        return "required"
    if stated is not None:
        return stated[1]
    return "off" if action.nargs == 0 else "none"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    sys.stdout.write(f"{PAGE} and {SCHEMA.name} are written\n")
