"""The command lines of this project: hyphens or underscores, each value once, one line for a mistake."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
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
        written = sys.argv[1:] if args is None else args
        arguments = list(map(_with_underscores, written))
        self._refuse_no_text(arguments)
        return super().parse_known_args(arguments, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options; an argument that is none of them is an error, which does not repeat its value."""
        arguments = list(sys.argv[1:] if args is None else args)
        options, rest = self.parse_known_args(arguments, namespace)
        if rest:
            self.error(stray(rest, arguments))
        return options

    def _refuse_no_text(self, arguments: Sequence[str]) -> None:
        """Refuse what no program behind this one could take: bytes that are no UTF-8, and NUL."""
        for index, argument in enumerate(arguments):
            fault = fault_of(argument)
            if fault is not None:
                name, separator, value = argument.partition("=")
                if not (argument.startswith("-") and separator):
                    name, value = _option_before(index, arguments) or "argument", argument
                self.error(f"{_escaped(name)} '{_escaped(_without_secrets(value))}' {fault}")

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


def fault_of(text: str) -> str | None:
    """Why a text cannot be the value of an option: what follows on its name. None if it can.

    >>> fault_of("caf" + chr(0xDCE9)), fault_of("a" + chr(0)), fault_of("café")
    ('is not UTF-8 text', 'contains the character NUL', None)
    """
    if "\0" in text:
        return "contains the character NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8 text"
    return None


def stray(rest: Sequence[str], arguments: Sequence[str]) -> str:
    """One line about the first of the arguments that no parser took.

    A value is not repeated: it may be a password, as in ``--kafka_config sasl.password X``.

    Args:
        rest: The arguments that are left.
        arguments: All of them.

    >>> stray(["X"], ["--kafka_config", "sasl.password", "X"])
    'a value that belongs to no option stands behind --kafka_config'
    """
    option = next((argument for argument in rest if argument.startswith("-")), None)
    if option is not None:
        return f"unknown option {option.split('=', 1)[0]}"
    index = arguments.index(rest[0]) if rest[0] in arguments else 0
    before = _option_before(index, arguments)
    where = f" stands behind {before}" if before else ""
    return f"a value that belongs to no option{where}"


def _without_secrets(value: str) -> str:
    """The start of a value, up to where a password may follow."""
    secret = re.search(r"(?<=://)|(?<==)|:(?=.*@)", value, re.DOTALL)
    return value if secret is None else f"{value[: secret.end()]}…"


def _escaped(text: str) -> str:
    """``text`` as a terminal can show it; a byte that is no UTF-8 as ``\\xe9``."""
    return "".join(map(_escape, text))


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # how Python keeps such a byte (PEP 383)
        return f"\\x{number - 0xDC00:02x}"
    return character if character.isprintable() else ascii(character)[1:-1]


def _option_before(index: int, arguments: Sequence[str]) -> str | None:
    """The last option before an argument."""
    options = (argument for argument in reversed(arguments[:index]) if argument.startswith("--"))
    name = next(options, None)
    return None if name is None else name.split("=", 1)[0]


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
