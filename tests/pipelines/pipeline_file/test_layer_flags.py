"""The flags that commands of pipeline files share."""

from __future__ import annotations

import pytest

from pipelines.command import Parser
from pipelines.pipeline_file.definition import PROCESS
from pipelines.pipeline_file.layer_flags import add_layers, add_process, process_options
from transforms.errors import ConfigError


def parser() -> Parser:
    names = Parser(prog="x")
    add_layers(names)
    add_process(names)
    return names


def test_only_what_the_user_sets_wins_over_the_file() -> None:
    assert process_options(parser().parse_args([])) == {}
    flags = parser().parse_args(["--set", "a=1", "--set", "b=2", "--env", "prod", "--verbose"])
    assert (flags.set, flags.env) == (["a=1", "b=2"], "prod")
    assert process_options(flags) == {"verbose": True}


def test_every_option_of_the_process_is_a_flag_and_no_other_option_is() -> None:
    flags = {name for action in parser().actions() for name in action.option_strings}
    assert flags == {f"--{name}" for name in PROCESS} | {"--env", "--set", "-h", "--help"}
    with pytest.raises(ConfigError, match="unknown option --table"):
        parser().parse_args(["--table", "t"])
