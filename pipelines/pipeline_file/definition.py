"""The options of a pipeline file: those of ``ingest``, as its parser defines them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pipelines.flags import Schema
from pipelines.ingestion.flags import parser

Form = Literal["switch", "one", "names", "several", "pairs"]
"""What stands behind an option: true or false, one value, names that flags separate by commas,
several values, or pairs of name and value."""

RUNNER_OPTIONS = "runner_options"
"""The key that only a file has: Beam's own options."""

DOCUMENTS = ("map", "schema", "routes")
"""Options that are a path, or the document itself."""

_REQUIRED = "; required"

PROCESS = (
    *("summary_json", "fail_on_dead_letters", "detach", "progress", "no_progress"),
    *("metrics_address", "verbose", "log_level", "log_format"),
)
"""Options of the process: flags of ``sluice run`` too, which win over the file."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: As in files; on a command line, ``--`` stands before it.
        form: What stands behind it.
        read: Turns the text of a value into the value; raises ``argparse.ArgumentTypeError``.
        schema: The JSON Schema of one value.
        choices: The values that it may have; empty for any.
        help: What it means, and its default.
        group: What it belongs to.
        default: Its value where nobody sets it.
        required: Whether every file has it.
    """

    name: str
    form: Form
    read: Callable[[str], Any]
    schema: Schema
    choices: tuple[str, ...]
    help: str
    group: str
    default: Any
    required: bool


@cache
def options() -> Mapping[str, Option]:
    """Every option, by name, in the order of ``sluice ingest --help``."""
    names = parser()
    return {
        action.dest: _option(action, str(group.title))
        for group in names._action_groups
        for action in group._group_actions
        if not isinstance(action, argparse._HelpAction)
    }


def defaults() -> argparse.Namespace:
    """The options where nobody sets one."""
    flags: argparse.Namespace = parser().parse_known_args([])[0]
    return flags


def _option(action: argparse.Action, group: str) -> Option:
    read = action.type if callable(action.type) else str
    text = (action.help or "") % {**vars(action), "prog": "sluice ingest"}
    required = re.search(f"{_REQUIRED}(?! with)", text) is not None
    choices = tuple(map(str, action.choices or ()))
    return Option(
        name=action.dest,
        form=_form(action),
        read=read,
        schema={"enum": _spelt(choices)} if choices else _schema(read),
        choices=choices,
        help=text.replace(_REQUIRED, "") if required else text,
        group=group,
        default=action.default,
        required=required,
    )


def _form(action: argparse.Action) -> Form:
    metavar = str(action.metavar)
    if action.nargs == 0:
        return "switch"
    if isinstance(action, argparse._AppendAction):
        return "pairs" if "=" in metavar else "several"
    return "names" if "[," in metavar else "one"


def _schema(read: Callable[[str], Any]) -> Schema:
    schema: Schema = getattr(read, "schema", {"type": ["string", "number"]})
    return schema


def _spelt(choices: tuple[str, ...]) -> list[str | bool]:
    """The choices, and those that YAML and JSON also write without quotes."""
    words = {"true": True, "false": False}
    return [*choices, *(words[choice] for choice in choices if choice in words)]
