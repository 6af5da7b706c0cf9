"""Flags that several commands share, and the types of their values."""

from __future__ import annotations

import argparse

import pytest

from pipelines import flags
from pipelines.command import Parser
from runners.runner import named
from transforms.errors import ConfigError


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("20", 20), (str(2**63 - 1), 2**63 - 1)])
def test_a_count_is_a_whole_number_of_at_least_1(text: str, number: int) -> None:
    assert flags.positive_int(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", str(2**63)])
def test_another_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number of at least 1"):
        flags.positive_int(text)


def test_seconds_may_be_fractions() -> None:
    assert flags.seconds(at_least=0)("0.5") == 0.5
    assert flags.seconds(at_least=1)("1") == 1


@pytest.mark.parametrize("text", ["-0.1", "nan", "soon", ""])
def test_other_seconds_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be at least 0 s"):
        flags.seconds(at_least=0)(text)


@pytest.mark.parametrize(("chosen", "seconds"), [([], 60.0), (["--outage_budget=7"], 7.0)])
def test_the_budget_of_an_outage_is_the_runners_unless_it_is_chosen(
    chosen: list[str], seconds: float
) -> None:
    parser = Parser()
    flags.add_outage_budget(parser)
    options = parser.parse_args(chosen)
    flags.set_outage_budget(options, named("FlinkRunner"))
    assert options.outage_budget == seconds


def test_an_unknown_runner_is_a_mistake_of_the_user() -> None:
    with pytest.raises(ConfigError, match=r"unknown runner 'Nowhere'.*DirectRunner"):
        flags.runner_of("Nowhere")


class TestUnknownFlags:
    @pytest.fixture
    def parser(self) -> Parser:
        parser = Parser()
        parser.add_argument("--source")
        return parser

    def test_beams_own_are_known(self, parser: Parser) -> None:
        flags.refuse_unknown(["--job_name=x", "--streaming"], parser)

    @pytest.mark.parametrize(
        ("rest", "message"),
        [
            (["--sorce=x"], "unknown option --sorce; did you mean --source?"),
            (["--qqq", "x"], r"unknown option --qqq \(--help lists every option\)"),
            (["stray"], "unknown option stray"),
        ],
    )
    def test_others_are_named(self, parser: Parser, rest: list[str], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            flags.refuse_unknown(rest, parser)
