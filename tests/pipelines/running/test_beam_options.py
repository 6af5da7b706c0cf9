"""The runner, and the options that are Beam's: known ones only, each value once."""

from __future__ import annotations

import pytest

from pipelines.command import Parser
from pipelines.running import beam_options
from transforms.errors import ConfigError


def test_an_unknown_runner_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match=r"unknown runner 'Nowhere'.*DirectRunner"):
        beam_options.runner_of("Nowhere")


class TestUnknownFlags:
    @pytest.fixture
    def parser(self) -> Parser:
        parser = Parser()
        parser.add_argument("--source")
        return parser

    def test_beams_own_are_known(self, parser: Parser) -> None:
        beam_options.refuse_unknown(["--job_name=x", "--streaming"], parser)

    @pytest.mark.parametrize(
        ("rest", "message"),
        [
            (["--sorce=x"], "unknown option --sorce; did you mean --source?"),
            (["--qqq", "x"], r"unknown option --qqq \(--help lists every option\)"),
            (["stray"], "a value that belongs to no option"),
        ],
    )
    def test_others_are_named(self, parser: Parser, rest: list[str], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            beam_options.refuse_unknown(rest, parser)

    def test_a_value_of_beams_is_given_once(self, parser: Parser) -> None:
        with pytest.raises(ConfigError, match="--job_name is given twice"):
            beam_options.refuse_unknown(["--job_name=x", "--job_name", "y"], parser)

    def test_an_option_of_beams_that_takes_several_may_be_repeated(self, parser: Parser) -> None:
        beam_options.refuse_unknown(["--experiments=x", "--experiments=y"], parser)
