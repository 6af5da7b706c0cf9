"""docs/options.md says what the parsers take."""

from __future__ import annotations

import re

import pytest

from sluice.table import COMMANDS, Command
from tests.options_page import PAGE, SCHEMA, page, schema_text
from tests.reference.page import COMMAND


def test_the_page_is_what_the_parsers_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"run `{COMMAND}`, and commit {PAGE.name}"


def test_the_schema_of_pipeline_files_is_what_the_options_say() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), f"run `{COMMAND}`, and commit both"


def rows(text: str) -> list[list[str]]:
    """The cells of every option's row."""
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line[:3] == "| `"]
    return [[cell.strip() for cell in row] for row in cells]


def test_every_row_has_a_default_and_a_meaning() -> None:
    assert len(rows(page())) > 100
    for option, value, default, meaning in rows(page()):
        assert default, option
        assert meaning, option
        assert value or default != "required", option
        assert "default" not in meaning, option


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_option_of_a_command_is_on_the_page(command: Command) -> None:
    text = page()
    section = text[text.index(f"## {command.name}\n") :].split("\n## ")[0]
    listed = {option for row in rows(section) for option in re.findall("`(--[^`]+)`", row[0])}
    options = {
        name for action in command.load().parser().actions() for name in action.option_strings
    }
    assert options - {"-h", "--help"} <= listed
