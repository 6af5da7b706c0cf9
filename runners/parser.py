"""The command lines of this project: hyphens or underscores, each value once, one line for a mistake."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

_PROGRAM: ContextVar[str | None] = ContextVar("program", default=None)
"""What the user has typed for the program, where that is not ``python -m MODULE``."""

_MODULE = "python -m "


class Parser(argparse.ArgumentParser):
    """An argument parser with the rules of every command here.

    Hyphens and underscores in the name of an option are the same. No option is abbreviated. An
    option of one value is given once; one whose action is ``append`` may be repeated. A mistake is
    one line on stderr and exit code 2. ``%(prog)s`` in description and epilog is the program as it
    was called, ``sluice audit`` or ``python -m pipelines.audit``; the lines of both stay as they are.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        program = _PROGRAM.get()
        if program is not None and str(kwargs.get("prog", "")).startswith(_MODULE):
            kwargs["prog"] = program
        super().__init__(*args, **kwargs)
        for action in (None, "store"):  # None: an option that names no action
            self.register("action", action, _StoreOnce)
        self.stored: set[str] = set()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and exit with 2."""
        self.exit(2, f"{self.prog}: {message} (--help lists every option)\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options, and the arguments that are none of them."""
        self.stored = set()
        arguments = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(list(map(_with_underscores, arguments)), namespace)

    def actions(self) -> list[argparse.Action]:
        """Every option, in the order of ``--help``."""
        return self._actions

    def repeats(self, name: str) -> bool:
        """Whether the option called ``name`` may be given several times."""
        return any(
            isinstance(action, argparse._AppendAction) and action.dest == name
            for action in self._actions
        )


class _StoreOnce(argparse._StoreAction):
    """Stores a value, and refuses a second one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None and isinstance(parser, Parser):
            if self.dest in parser.stored:
                raise argparse.ArgumentError(None, f"{option_string} is given twice")
            parser.stored.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


@contextmanager
def called_as(program: str) -> Iterator[None]:
    """While the block runs, parsers of ``python -m …`` call themselves ``program``."""
    token = _PROGRAM.set(program)
    try:
        yield
    finally:
        _PROGRAM.reset(token)


def _with_underscores(argument: str) -> str:
    """``--max-attempts=3`` as ``--max_attempts=3``; values stay as they are."""
    if not argument.startswith("--"):
        return argument
    name, separator, value = argument[2:].partition("=")
    return f"--{name.replace('-', '_')}{separator}{value}"
