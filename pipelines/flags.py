"""Flags that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence

from pipelines.command import Parser
from runners.beam_private import flag_parser, option_classes
from runners.runner import NAMES, Runner, RunnerUnavailable, named
from transforms.errors import ConfigError

_LARGEST = 2**63 - 1
"""The largest number that every database can compare a column with."""


def positive_int(text: str) -> int:
    """The type of a flag that takes a whole number of at least 1.

    Raises:
        argparse.ArgumentTypeError: ``text`` is something else.
    """
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= _LARGEST:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return number


def seconds(at_least: float) -> Callable[[str], float]:
    """The type of a flag that takes a number of seconds.

    Args:
        at_least: The smallest number that makes sense.

    Returns:
        A function that raises ``argparse.ArgumentTypeError`` for anything else.
    """

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not number >= at_least:  # NaN is not
            raise argparse.ArgumentTypeError(f"must be at least {at_least} s, got {text!r}")
        return number

    return parse


def add_runner(parser: Parser) -> None:
    """Add ``--runner``."""
    parser.add_argument(
        "--runner", default="DirectRunner", metavar="NAME", help=f"one of {', '.join(NAMES)}"
    )


def add_kafka_config(parser: argparse._ActionsContainer) -> None:
    """Add ``--kafka_config``."""
    parser.add_argument(
        "--kafka_config",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of librdkafka, e.g. security.protocol=SASL_SSL or "
        "'sasl.password=${env:NAME}'; may be repeated",
    )


def add_outage_budget(parser: argparse._ActionsContainer) -> None:
    """Add ``--outage_budget``, whose default depends on the runner (``set_outage_budget``)."""
    parser.add_argument(
        "--outage_budget",
        type=seconds(at_least=0),
        metavar="S",
        help="how many seconds to wait for a database or broker that is away, before failing "
        "(default: 300; 60 with FlinkRunner)",
    )


def add_output(parser: argparse._ActionsContainer) -> None:
    """Add ``--summary_json`` and ``--verbose``."""
    parser.add_argument(
        "--summary_json", metavar="FILE", help="write the summary to this file as JSON"
    )
    parser.add_argument("--verbose", action="store_true", help="show logs, and an error's stack")


def set_outage_budget(flags: argparse.Namespace, runner: Runner) -> None:
    """Give ``flags.outage_budget`` the runner's default unless the user chose one."""
    if flags.outage_budget is None:
        flags.outage_budget = runner.outage_budget


def runner_of(name: str) -> Runner:
    """The runner called ``name``. From then on, Beam knows the options of that runner.

    Raises:
        ConfigError: There is no such runner.
    """
    try:
        return named(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def refuse_unknown(rest: Sequence[str], parser: Parser) -> None:
    """Refuse flags that Beam does not know either. Beam only warns, so a typo would pass.

    Args:
        rest: The arguments that ``parser`` did not take.
        parser: The flags of the command.

    Raises:
        ConfigError: It names the first unknown flag, and a known one that is close to it.
    """
    try:
        _, unknown = flag_parser(option_classes()).parse_known_args(list(rest))
    except (argparse.ArgumentError, RunnerUnavailable) as error:
        raise ConfigError(str(error)) from error
    if not unknown:
        return
    flag = next((argument for argument in unknown if argument.startswith("-")), unknown[0])
    name = flag.split("=", 1)[0]
    names = [option for action in parser.actions() for option in action.option_strings]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]}?" if close else " (--help lists every option)"
    raise ConfigError(f"unknown option {name}{hint}")
