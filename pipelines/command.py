"""What every command shares: one line for an error, the right exit code, where results go."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from sinks.database.engine import dispose_engines
from transforms.errors import ConfigError, DeadBudgetExceeded, SluiceError, from_text, without_step
from transforms.secrets import redact

OK = 0
FAILED = 1
USAGE = 2
DEAD_LETTERS = 3
DEAD_BUDGET = 4


class Parser(argparse.ArgumentParser):
    """An argument parser that raises ``ConfigError`` instead of printing its usage.

    Hyphens and underscores in the name of a flag are the same.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (--help lists every option)")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        return super().parse_known_args(list(map(_with_underscores, arguments)), namespace)

    def actions(self) -> list[argparse.Action]:
        """Every flag, in the order of ``--help``."""
        return self._actions

    def repeats(self, name: str) -> bool:
        """Whether the flag called ``name`` may be given several times."""
        return any(
            isinstance(action, argparse._AppendAction) and action.dest == name
            for action in self._actions
        )


def _with_underscores(argument: str) -> str:
    """``--max-attempts=3`` as ``--max_attempts=3``; values stay as they are."""
    if not argument.startswith("--"):
        return argument
    name, separator, value = argument[2:].partition("=")
    return f"--{name.replace('-', '_')}{separator}{value}"


def run(name: str, main: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    """Call ``main`` and turn what it raises into one line on stderr and an exit code.

    Args:
        name: The name of the command; each line begins with it.
        main: Takes the arguments and returns the exit code.
        argv: The arguments; by default those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbose = "--verbose" in arguments
    _set_up_logging(verbose)
    try:
        return main(arguments)
    except BrokenPipeError:
        # Nobody reads our output any more (`… | head`).
        sys.stderr.close()
        return OK
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - classified and reported below
        if verbose:
            traceback.print_exc()
        cause = error if isinstance(error, SluiceError) else from_text(str(error))
        print(f"{name}: {_line(cause, error)}", file=sys.stderr)
        return _code(cause)
    finally:
        dispose_engines()  # so that SQLite keeps everything in its one file


def _code(cause: SluiceError | None) -> int:
    if isinstance(cause, ConfigError):
        return USAGE
    return DEAD_BUDGET if isinstance(cause, DeadBudgetExceeded) else FAILED


def _line(cause: SluiceError | None, error: Exception) -> str:
    if cause is not None:
        return redact(without_step(" ".join(str(cause).split())))
    last = (str(error).strip().splitlines() or [""])[-1]
    return redact(
        f"unexpected {type(error).__name__}: {without_step(last)} (--verbose shows the stack)"
    )


def console() -> Console:
    """The console for results: as wide as the terminal, or wide enough for a log."""
    return Console(width=None if sys.stdout.isatty() else 140)


def _set_up_logging(verbose: bool) -> None:
    """Show our own warnings on stderr, and Beam's messages only with ``--verbose``.

    Beam logs through its own loggers and through the root logger.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.getLogger("apache_beam").setLevel(logging.INFO if verbose else logging.CRITICAL)
    logging.getLogger("apache_beam.typehints").setLevel(logging.ERROR)
    for package in ("pipelines", "transforms", "clients", "sources", "sinks", "runners"):
        logging.getLogger(package).setLevel(logging.INFO if verbose else logging.WARNING)


def write_summary(figures: Mapping[str, Any], path: Path) -> None:
    """Write ``figures`` to ``path`` as one JSON object.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--summary_json {path}: cannot be written ({error.strerror}); "
            "the run itself is finished and committed"
        ) from error
