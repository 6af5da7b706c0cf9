"""Every error is one line on stderr and an exit code; ``--verbose`` adds the stack."""

from __future__ import annotations

import gc
import io
import json
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from pipelines import command
from runners import streams
from sinks.database import engine
from transforms.errors import ConfigError, SluiceError, SourceUnavailable


def raising(error: BaseException) -> Callable[[Sequence[str]], int]:
    def main(argv: Sequence[str]) -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ConfigError("--key: no such column"), command.USAGE, "ingest: --key: no such column"),
        (SourceUnavailable("the broker\nis away"), command.FAILED, "ingest: the broker is away"),
        (
            ValueError("first\nlast"),
            command.FAILED,
            "ingest: unexpected ValueError: last (--verbose shows the stack)",
        ),
        (
            RuntimeError("Traceback …\nSystemExit: 4 [while running 'Mask/ParDo(Mask)']"),
            command.FAILED,
            "ingest: unexpected SystemExit: 4 in step Mask/ParDo(Mask) (--verbose shows the stack)",
        ),
        (KeyboardInterrupt(), 130, "ingest: interrupted"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run("ingest", raising(error), []) == code
    assert capsys.readouterr().err.splitlines() == [line]


def test_a_second_interrupt_does_not_stop_the_databases_from_being_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = []

    def dispose() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        closed.append(True)

    monkeypatch.setattr(engine, "dispose_engines", dispose)
    assert command.run("ingest", raising(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err == "ingest: interrupted\n"
    assert closed == [True]


def test_a_refusal_is_one_line_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    url = "postgresql://ann:secret-word@db/x"
    assert command.refuse("sluice", f"no command\n{url}\x1b[2J", [url]) == command.USAGE
    line = "sluice: no command postgresql://ann:***@db/x\\x1b[2J\n"
    assert capsys.readouterr() == ("", line)


def test_verbose_shows_the_stack_before_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("ingest", raising(ValueError("oops")), ["--verbose"]) == command.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("ingest: unexpected ValueError: oops")


def test_an_error_of_ours_that_beam_has_wrapped_keeps_its_meaning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Beam hands on the text alone, with the name of the step behind it."""
    wrapped = RuntimeError(repr_of(ConfigError("--table: events has no column id")))
    assert command.run("ingest", raising(wrapped), []) == command.USAGE
    assert capsys.readouterr().err == "ingest: --table: events has no column id\n"


def repr_of(error: Exception) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"Traceback (most recent call last):\n{name}: {error} [while running 'Write']"


def test_a_password_in_an_error_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError("cannot open postgresql://ann:secret-word@db/x")
    assert command.run("ingest", raising(error), []) == command.FAILED
    assert "secret-word" not in capsys.readouterr().err


def test_garbage_is_collected_again_after_an_import_that_failed() -> None:
    during = []
    with suppress(ImportError), command.importing():
        during.append(gc.isenabled())
        raise ImportError
    assert (during, gc.isenabled()) == ([False], True)


def test_what_main_returns_is_the_exit_code() -> None:
    assert command.run("ingest", len, ["a", "b", "c"]) == 3


def test_a_parser_raises_instead_of_printing_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command.Parser(prog="ingest")
    parser.add_argument("--splits", type=int)
    with pytest.raises(ConfigError, match="invalid int value: 'x' "):
        parser.parse_args(["--splits", "x"])
    with pytest.raises(ConfigError, match="--split"):
        parser.parse_args(["--split", "1"])  # no abbreviations
    assert capsys.readouterr() == ("", "")


def test_a_summary_is_written_as_one_object(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    command.write_summary({"read": 21_000, "next_attempt_at": None}, path)
    assert json.loads(path.read_text()) == {"read": 21_000, "next_attempt_at": None}


def test_a_summary_that_cannot_be_written_says_that_the_run_is_finished(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match=r"--summary_json .*finished and committed"):
        command.write_summary({}, tmp_path / "no" / "summary.json")


def test_a_place_for_the_summary_is_checked_before_the_run(tmp_path: Path) -> None:
    assert command.summary_path(None) is None
    assert command.summary_path(f"{tmp_path}/new.json") == tmp_path / "new.json"
    with pytest.raises(ConfigError, match="there is no folder"):
        command.summary_path(f"{tmp_path}/no/summary.json")
    with pytest.raises(ConfigError, match="is a folder"):
        command.summary_path(str(tmp_path))


def test_output_that_cannot_be_written_fails_a_command_that_only_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")

    def prints(argv: Sequence[str]) -> int:
        command.check_printed()
        return command.OK

    line = "standard output cannot be written: No space left on device"
    assert command.run("list", prints, []) == command.FAILED
    assert command.run("ingest", lambda argv: command.DEAD_LETTERS, []) == command.DEAD_LETTERS
    assert capsys.readouterr().err.splitlines() == [f"list: {line}", f"ingest: {line}"]


def test_a_value_that_is_to_be_copied_is_whole_although_the_terminal_is_narrow() -> None:
    out = io.StringIO()
    table = Table("source", "read", box=None)
    table.add_row("file:///" + "x" * 100, "7")
    table.add_row("b c", "8")
    command.print_whole(Console(file=out, width=40, force_terminal=True, no_color=True), table)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines[1:] == [["file:///" + "x" * 100, "7"], ["b", "c", "8"]]


def test_outside_a_terminal_a_line_is_as_long_as_it_has_to_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command.console().print("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1
