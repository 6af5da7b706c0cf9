"""Every command has a module with the same two functions."""

from __future__ import annotations

import pytest

from runners.parser import Parser
from sluice.table import COMMANDS, Command


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_its_module_has_a_parser_that_names_the_program(command: Command) -> None:
    module = command.load()
    assert callable(module.main)
    parser = module.parser()
    assert isinstance(parser, Parser)
    assert parser.prog == command.program


def test_a_name_is_lower_case_with_hyphens() -> None:
    assert all(command.name.replace("-", "").islower() for command in COMMANDS)
