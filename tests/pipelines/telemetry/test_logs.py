"""Lines on stderr: JSON for programs, text on a terminal, and no secret in either."""

from __future__ import annotations

import ast
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.telemetry import logs
from transforms import secrets

_log = logging.getLogger("sources.tested")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_of_json_says_when_what_and_of_which_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up(["--log_format=json"])
    with logs.about(run="r1", pipeline="p", target="t"):
        _log.info("read %d of %s", 3, "a", extra={"source": "kafka://t", "offset": 7})
    _log.warning("after the run")
    line, after = lines(capsys)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "sources.tested",
        "event": "read 3 of a",
        "run": "r1",
        "pipeline": "p",
        "target": "t",
        "source": "kafka://t",
        "offset": 7,
    }
    assert after.keys() == {"time", "level", "logger", "event"}


def test_only_the_names_that_are_listed_get_through(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(["--log-format", "json"])
    _log.info("x", extra={"raw": "the record", "stage": "parse"})
    (line,) = lines(capsys)
    assert line["stage"] == "parse"
    assert "raw" not in line


def test_every_text_is_without_secrets_and_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    secrets.learn(["password=canary-word"])
    logs.set_up(["--log_format=json"])
    _log.info(
        "to postgresql://u:other-word@h/d\x1b[2J",
        extra={"sources": ["a canary-word"], "away": {"canary-word": 1.23456}},
    )
    text = capsys.readouterr().err
    assert "canary-word" not in text
    assert "other-word" not in text
    line = json.loads(text)
    assert line["event"] == "to postgresql://u:***@h/d\\x1b[2J"
    assert line["sources"] == ["a ***"]
    assert line["away"] == {"***": 1.235}


def test_a_line_is_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up(["--log_format=json"])
    _log.info("x" * 1_000_000, extra={"sources": ["s"] * 10_000})
    assert len(capsys.readouterr().err) < 20_000


def test_stacks_need_verbose_since_an_error_may_quote_a_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def told(*arguments: str) -> dict[str, Any]:
        logs.set_up(["--log_format=json", *arguments])
        try:
            raise ValueError("the payload")
        except ValueError:
            _log.exception("failed")
        (line,) = lines(capsys)
        return line

    assert "the payload" not in json.dumps(told())
    assert "ValueError: the payload" in told("--verbose")["exception"]


def test_on_a_terminal_a_line_is_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.set_up([])
    _log.info("password=canary \x1b[2J")
    assert capsys.readouterr().err.endswith(" INFO sources.tested: password=*** \\x1b[2J\n")
    logs.set_up(["--log_format=json"])
    _log.info("x")
    assert lines(capsys)[0]["event"] == "x"


def test_without_a_terminal_a_line_is_json_unless_text_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up([])
    _log.info("x")
    assert lines(capsys)[0]["event"] == "x"
    logs.set_up(["--log_format=console"])
    _log.info("x")
    assert capsys.readouterr().err.endswith(" INFO sources.tested: x\n")


@pytest.mark.parametrize(
    ("arguments", "levels"),
    [
        ([], ["info", "warning", "error"]),
        (["--log_level=debug"], ["debug", "info", "warning", "error"]),
        (["--log_level", "error"], ["error"]),
        (["--verbose"], ["debug", "info", "warning", "error"]),
        (["--verbose", "--log-level=warning"], ["warning", "error"]),
        (["--log_level=loud"], ["info", "warning", "error"]),  # which the parser refuses
        (["--log_level"], ["info", "warning", "error"]),
    ],
)
def test_the_level_is_the_least_that_is_shown(
    arguments: list[str], levels: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up(arguments)
    for level in logs.LEVELS:
        _log.log(logging.getLevelNamesMapping()[level.upper()], "x")
    assert [line["level"] for line in lines(capsys)] == levels


def test_libraries_are_silent_unless_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, count in (([], 0), (["--log_level=debug"], 0), (["--verbose"], 2)):
        logs.set_up(arguments)
        logging.getLogger("apache_beam.runners").warning("x")
        logging.getLogger("urllib3").warning("x")
        assert len(lines(capsys)) == count


def test_a_line_goes_to_what_stderr_is_at_the_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    logs.set_up([])
    other = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", other)  # as a progress bar does
        _log.info("x")
    assert json.loads(other.getvalue())["event"] == "x"
    assert capsys.readouterr().err == ""


ROOT = Path(__file__).resolve().parents[3]
WINGS = ("pipelines", "transforms", "io", "runners", "sluice")


def test_every_field_that_a_line_is_given_gets_through() -> None:
    fields = {
        key.value
        for wing in WINGS
        for path in (ROOT / wing).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.keyword) and call.arg == "extra"
        for key in (call.value.keys if isinstance(call.value, ast.Dict) else ())
        if isinstance(key, ast.Constant)
    }
    assert len(fields) > 15, "the calls have been looked at"
    assert fields <= logs.FIELDS
