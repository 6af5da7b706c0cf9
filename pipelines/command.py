"""What every command has in common: one line for an error, and the right exit code."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from rich.console import Console

from sinks.database.engine import dispose_engines
from transforms.errors import ConfigError, SluiceError, from_text, without_step
from transforms.secrets import redact

OK = 0
FAILED = 1
USAGE = 2
DEAD_LETTERS = 3


class Parser(argparse.ArgumentParser):
    """An argument parser that raises ``ConfigError`` instead of printing its usage."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (--help lists every option)")


def run(name: str, main: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    """Call ``main`` and turn what it raises into one line on stderr and an exit code.

    Args:
        name: The command, as it is to stand in front of the line.
        main: Takes the arguments, returns the exit code.
        argv: Arguments; the process's own unless given.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    verbose = "--verbose" in arguments
    _set_up_logging(verbose)
    try:
        return main(arguments)
    except BrokenPipeError:
        # The reader of our output has gone (`… | head`): nothing is left to say.
        sys.stderr.close()
        return OK
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # noqa: BLE001 - classified and said below, never swallowed
        if verbose:
            traceback.print_exc()
        known = error if isinstance(error, SluiceError) else from_text(str(error))
        print(f"{name}: {_line(known, error)}", file=sys.stderr)
        return USAGE if isinstance(known, ConfigError) else FAILED
    finally:
        dispose_engines()  # SQLite then has everything in the one file


def _line(known: SluiceError | None, error: Exception) -> str:
    if known is not None:
        return redact(without_step(" ".join(str(known).split())))
    last = (str(error).strip().splitlines() or [""])[-1]
    return redact(
        f"unexpected {type(error).__name__}: {without_step(last)} (--verbose shows the stack)"
    )


def console() -> Console:
    """Where results are printed: as wide as the terminal, or wide enough for a log."""
    return Console(width=None if sys.stdout.isatty() else 140)


def _set_up_logging(verbose: bool) -> None:
    """Our own warnings on stderr; what Beam says of a failed bundle only when asked for.

    Beam logs through its own loggers and through the root.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.CRITICAL,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    logging.getLogger("apache_beam").setLevel(logging.INFO if verbose else logging.CRITICAL)
    logging.getLogger("apache_beam.typehints").setLevel(logging.ERROR)
    for ours in ("pipelines", "transforms", "clients", "sources", "sinks", "runners"):
        logging.getLogger(ours).setLevel(logging.INFO if verbose else logging.WARNING)
