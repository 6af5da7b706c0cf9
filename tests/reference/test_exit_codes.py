"""docs/exit-codes.md says of each command which exit codes it has, and the code has no others."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from pipelines import command
from sluice.table import COMMANDS
from tests.reference.exit_codes import EVERY, meanings

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = {
    name: getattr(command, name) for name in ("DEAD_LETTERS", "DEAD_BUDGET", "PAUSED", "UNHEALTHY")
}
"""The codes that not every command has."""

OF_RUNS = {"plan": {command.DEAD_BUDGET, command.PAUSED}}
"""Codes in modules that a command imports for something else: a plan is no run."""


@cache
def text_of(module: str) -> str:
    """The text of a module of ``pipelines``; empty for what is none."""
    path = (ROOT / module.replace(".", "/")).with_suffix(".py")
    return path.read_text() if path.exists() else ""


def returned(module: str) -> set[int]:
    """The special codes that the functions of a module name."""
    lines = [line for line in text_of(module).splitlines() if line.startswith("    ")]
    code = "\n".join(line for line in lines if not re.match(r"\s+(command\.)?[A-Z_]+: ", line))
    return {
        SPECIAL[name] for name in re.findall(r"\bcommand\.([A-Z_]+)\b", code) if name in SPECIAL
    }


@cache
def imported(module: str) -> set[str]:
    """The modules of ``pipelines`` that a module may import."""
    clauses = re.findall(r"from (pipelines[\w.]*) import \(?([\w, \n]+)", text_of(module))
    return {
        name
        for package, names in clauses
        for name in (package, *(f"{package}.{word}" for word in re.findall(r"\w+", names)))
        if name != "pipelines.command" and text_of(name)
    }


def reached(module: str) -> set[str]:
    """A module, and all of ``pipelines`` that it imports, whenever."""
    modules, ahead = set[str](), {module}
    while ahead:
        modules |= ahead
        ahead = {name for each in ahead for name in imported(each)} - modules
    return modules


def test_every_command_has_the_codes_of_every_command() -> None:
    for name, codes in meanings().items():
        assert EVERY.keys() <= codes.keys(), name


@pytest.mark.parametrize("name", [part.name for part in COMMANDS])
def test_a_command_names_the_codes_that_its_code_returns(name: str) -> None:
    module = next(part.module for part in COMMANDS if part.name == name)
    codes = {code for part in reached(module) for code in returned(part)}
    if "pipelines.ingestion.run" in reached(module):
        codes.add(command.DEAD_BUDGET)  # raised by a run, and told by ``command.run``
    assert meanings()[name].keys() - EVERY.keys() == codes - OF_RUNS.get(name, set())


def test_the_help_of_a_command_has_the_meanings_and_that_of_an_action_has_none() -> None:
    text = command.Parser(prog="p", epilog="examples:", exits={3: "three"}).format_help()
    section = text.partition("exit codes:\n")[2].partition("\n\nexamples:")[0]
    assert section.splitlines() == [
        f"  {code:<5}{meaning}" for code, meaning in sorted({**command.EXITS, 3: "three"}.items())
    ]
    assert "exit codes" not in command.Parser(prog="p").format_help()
