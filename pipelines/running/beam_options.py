"""The options of a command line that are Beam's: the runner, and what is passed on to it."""

from __future__ import annotations

import argparse
import difflib
from collections import Counter
from collections.abc import Sequence

from runners.beam.private import flag_parser, flags_of, option_classes
from runners.parser import Parser, stray
from runners.runner import Runner, RunnerUnavailable, named
from transforms.errors import ConfigError


def runner_of(name: str) -> Runner:
    """The runner called ``name``. From then on, Beam knows the options of that runner.

    Raises:
        ConfigError: There is no such runner.
    """
    try:
        return named(name)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def refuse_unknown(rest: Sequence[str], parser: Parser, argv: Sequence[str] = ()) -> None:
    """Refuse flags that Beam does not know either, and values that are given twice.

    Beam only warns of the first, so a typo would pass, and takes the last of the second.

    Args:
        rest: The arguments that ``parser`` did not take.
        parser: The flags of the command.
        argv: All arguments, to say where one stands that belongs to no option.

    Raises:
        ConfigError: It names the first unknown flag, and a known one that is close to it; or the
            first repeated one.
    """
    if not rest:
        return
    try:
        beam = flag_parser(option_classes())
        _, unknown = beam.parse_known_args(list(rest))
    except (argparse.ArgumentError, RunnerUnavailable) as error:
        raise ConfigError(str(error)) from error
    if not unknown:
        _refuse_repeated(rest, flags_of(beam))
        return
    line = stray(unknown, argv)
    name = line.rpartition(" ")[2]
    every = (*parser.actions(), *flags_of(beam))
    names = [option for action in every for option in action.option_strings]
    close = difflib.get_close_matches(name, names, n=1) if line.startswith("unknown") else []
    hint = f"; did you mean {close[0]}?" if close else " (--help lists every option)"
    raise ConfigError(f"{line}{hint}")


def _refuse_repeated(rest: Sequence[str], actions: Sequence[argparse.Action]) -> None:
    times = Counter(argument.split("=", 1)[0] for argument in rest)
    for action in actions:
        single = isinstance(action, argparse._StoreAction) and action.nargs is None
        if single and sum(times[name] for name in action.option_strings) > 1:
            raise ConfigError(f"{action.option_strings[0]} is given twice")
