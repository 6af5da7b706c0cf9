"""What every command shares: one line for an error, the right exit code, where results go."""

from __future__ import annotations

import gc
import json
import os
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pipelines.telemetry import logs
from pipelines.terminal import safe
from runners import parser, signals, streams
from transforms.errors import (
    ConfigError,
    DeadBudgetExceeded,
    SluiceError,
    from_text,
    step_of,
    without_step,
)
from transforms.secrets import learn, redact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

OK = 0
FAILED = 1
USAGE = 2
DEAD_LETTERS = 3
DEAD_BUDGET = 4
PAUSED = 5
UNHEALTHY = 6
INTERRUPTED = 130

_ANY_WIDTH = 1_000_000
"""Wider than any line."""

EXITS = {
    OK: "it has done what it was asked for",
    FAILED: "it failed; the last line on stderr says why",
    USAGE: "an option, a file or a name is wrong; the last line on stderr says which",
    INTERRUPTED: "Ctrl-C has ended it",
}
"""What the exit codes of every command mean."""


class Parser(parser.Parser):
    """A parser that raises ``ConfigError``, so that ``run`` reports it as it does any mistake.

    Args:
        exits: What exit codes of this command mean beside, or instead of, ``EXITS``; its ``--help``
            shows them. None for an action of a command, which has those of the command.
    """

    def __init__(self, *args: Any, exits: Mapping[int, str] | None = None, **kwargs: Any) -> None:
        self.exits = {} if exits is None else dict(sorted({**EXITS, **exits}.items()))
        if self.exits:
            meanings = "\n".join(
                textwrap.fill(f"  {code:<5}{meaning}", 100, subsequent_indent=" " * 7)
                for code, meaning in self.exits.items()
            )
            kwargs["epilog"] = f"exit codes:\n{meanings}\n\n{kwargs.get('epilog') or ''}"
        super().__init__(*args, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The options, and the arguments that are none of them. No message shows a secret of them."""
        learn(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (--help lists every option)")


def run(name: str, main: Callable[[Sequence[str]], int], argv: Sequence[str] | None) -> int:
    """Call ``main`` and turn what it raises into one line on stderr and an exit code.

    The exit code is that of ``main``, whether or not anybody can read what it prints.

    Args:
        name: The name of the command; each line begins with it.
        main: Takes the arguments and returns the exit code.
        argv: The arguments; by default those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with streams.lasting():
        verbose = "--verbose" in arguments
        logs.set_up(arguments)
        try:
            code = main(arguments)
            if streams.lost() is not None:
                print(f"{name}: {_unprinted()}", file=sys.stderr)
            return code
        except KeyboardInterrupt:
            print(f"{name}: interrupted", file=sys.stderr)
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - classified and reported below
            if verbose:
                print(redact(traceback.format_exc()), end="", file=sys.stderr)
            cause = _cause(error)
            print(f"{name}: {safe(_line(cause, error))}", file=sys.stderr)
            return _code(cause)
        finally:
            with signals.uninterrupted():
                _dispose_engines()


def refuse(name: str, why: str, arguments: Sequence[str]) -> int:
    """Say in one line why nothing is run; returns the exit code. No secret of ``arguments`` is shown."""
    learn(arguments)
    print(f"{name}: {safe(line_of(ConfigError(why)))}", file=sys.stderr)
    return USAGE


def check_printed() -> None:
    """Make sure that all output is written, for a command whose output is all that it does.

    Raises:
        SluiceError: A part of it could not be written. A reader that has gone (``… | head``) is
            no failure.
    """
    if streams.lost() is not None:
        raise SluiceError(_unprinted())


def _unprinted() -> str:
    return f"standard output cannot be written: {streams.lost()}"


@contextmanager
def importing() -> Iterator[None]:
    """Import many modules in this block: they stay, so the garbage collector need not search them.

    It would do so again and again while they come, once more afterwards, and at the end of the
    process, which takes a third of the time.
    """
    before = len(sys.modules)
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > before:
            gc.freeze()
        if collecting:
            gc.enable()


def _dispose_engines() -> None:
    """Disconnect from every database, so that SQLite keeps everything in its one file."""
    engine = sys.modules.get("sinks.database.engine")  # without it, no database was asked
    if engine is not None:
        engine.dispose_engines()


def _code(cause: SluiceError | None) -> int:
    if isinstance(cause, ConfigError):
        return USAGE
    return DEAD_BUDGET if isinstance(cause, DeadBudgetExceeded) else FAILED


def line_of(error: Exception) -> str:
    """What to say of an error, in one line without secrets."""
    return _line(_cause(error), error)


def _cause(error: Exception) -> SluiceError | None:
    return error if isinstance(error, SluiceError) else from_text(str(error))


def _line(cause: SluiceError | None, error: Exception) -> str:
    if cause is not None:
        return redact(without_step(" ".join(str(cause).split())))
    last = (str(error).strip().splitlines() or [""])[-1]
    step = step_of(last)
    what = (  # Beam raises RuntimeError, and its last line begins with the class of the cause
        f"{type(error).__name__}: {last}"
        if step is None
        else f"{without_step(last)} in step {step}"
    )
    return redact(f"unexpected {what} (--verbose shows the stack)")


def console() -> Console:
    """The console for results: as wide as the terminal; a file or pipe takes lines of any width."""
    from rich.console import Console  # takes time, which --help and --json do not need

    return Console(width=None if sys.stdout.isatty() else _ANY_WIDTH)


def print_whole(console: Console, table: Table) -> None:
    """Print a table whose values are to be copied: none is cut or folded.

    A line that is wider than the terminal goes on below, as the terminal breaks it.
    """
    options = console.options.update(max_width=_ANY_WIDTH)
    table.width = console.measure(table, options=options).maximum
    console.print(table, crop=False)


def write_summary(figures: Mapping[str, Any], path: Path) -> None:
    """Write ``figures`` to ``path`` as one JSON object.

    Raises:
        SluiceError: The file cannot be written any more.
    """
    try:
        path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SluiceError(
            f"--summary_json {path}: cannot be written ({error.strerror}); "
            "the run itself is finished and committed"
        ) from error


def summary_path(text: str | None) -> Path | None:
    """Where to write the summary; None if nobody asked for it.

    Raises:
        ConfigError: No file can be written there.
    """
    if not text:
        return None
    path = Path(text)
    folder = path.parent
    if path.is_dir():
        raise ConfigError(f"--summary_json {path}: is a folder; name a file")
    if not folder.is_dir():
        raise ConfigError(f"--summary_json {path}: there is no folder {folder}; create it")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"--summary_json {path}: may not be written; name another file")
    return path
