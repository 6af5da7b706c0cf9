"""How far a run is, is drawn or written on stderr, from what this process counts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipelines.telemetry import progress
from pipelines.telemetry.progress import MOST_SOURCES, Mode
from tests.pipelines.telemetry.test_by_source import Folder
from tests.terminals import terminals
from transforms import instruments, metrics
from transforms.batch.backoff import Backoff, Outage


@pytest.fixture(autouse=True)
def _anew() -> None:
    metrics.reset()
    instruments.reset()


def test_without_a_terminal_the_last_state_is_shown_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.shown("bar"):
        metrics.count_all([("read", 1_234), ("dead", 5), ("retrying", 2)])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("1,234 records") == 1
    assert "5 dead, 2 retrying" in captured.err


def test_a_plain_line_is_written_at_the_end_at_the_latest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.shown("plain"):
        metrics.count_all([("read", 1_234), ("dead", 5)])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ingest: ")
    assert "1,234 records, 5 dead, 0 retrying" in line


@pytest.mark.parametrize("mode", ["bar", "plain"])
def test_a_service_that_is_away_is_shown(mode: Mode, capsys: pytest.CaptureFixture[str]) -> None:
    outage = Outage(Backoff(), 60, service="database", clock=lambda: 0.0)
    outage.next_wait()
    with progress.shown(mode, streaming=True):
        pass
    outage.end()
    assert "database away" in capsys.readouterr().err


def test_nothing_is_shown_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown("none"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_the_default_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        assert progress.mode_of("auto") == ("bar" if terminal else "none")
        for mode in ("bar", "plain", "none"):
            assert progress.mode_of(mode) == mode
        assert progress.drawn("bar") == terminal
        assert not progress.drawn("plain")


@pytest.mark.parametrize("mode", ["bar", "plain"])
def test_its_thread_ends_with_the_block_even_by_an_error(mode: Mode) -> None:
    with pytest.raises(ValueError, match="oops"), progress.shown(mode):
        raise ValueError("oops")
    assert "progress" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("mode", ["bar", "plain"])
@pytest.mark.parametrize("streaming", [False, True])
def test_each_of_several_sources_has_a_line_and_those_beyond_share_one(
    mode: Mode, streaming: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [Folder(f"kafka://host/topic-{number}[x]/") for number in range(MOST_SOURCES + 3)]
    with progress.shown(mode, sources, streaming=streaming):
        for number, source in enumerate(sources):
            instruments.add("records_read", number + 1, source.uri)
            instruments.add("dead_letters", 1, f"{source.uri}0")
            instruments.add("stored_bytes_planned", 100, source.uri)
            instruments.add("stored_bytes_read", 50, source.uri)
            instruments.hold("source_lag_records", 9, source.uri, "reader")
    lines = capsys.readouterr().err.splitlines()
    (fifth,) = (line for line in lines if "topic-4[x]/" in line)
    assert "5 records" in fifth
    assert fifth.rstrip().endswith("lag 9, 1 dead")
    assert ("50%" in fifth) != streaming
    (rest,) = (line for line in lines if "3 more sources" in line)
    assert "30 records" in rest
    assert rest.rstrip().endswith("lag 27, 3 dead")
    assert len(lines) == MOST_SOURCES + 2


@pytest.mark.parametrize("mode", ["bar", "plain"])
def test_a_single_source_is_the_whole_run(mode: Mode, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(mode, [Folder("the-only-one")]):
        instruments.add("records_read", 1, "the-only-one")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_name_is_without_secrets_and_control_characters_and_short(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sources = [Folder("s3://u:word@bucket/\x1b[2J/" + "x" * 500 + "/the-end.csv"), Folder("b")]
    with progress.shown("plain", sources):
        pass
    printed = capsys.readouterr().err
    assert "word" not in printed
    assert "\x1b" not in printed
    assert "the-end.csv" in printed
    assert max(map(len, printed.splitlines())) < 120


@pytest.mark.slow
def test_a_terminal_shows_a_line_a_source_above_the_bar_none_wider_than_it_is(
    tmp_path: Path,
) -> None:
    argv = [sys.executable, "-m", "pipelines.ingest", "--sink", f"sqlite:///{tmp_path}/e.db"]
    argv += ["--table", "events", "--key", "id"]
    for number in range(MOST_SOURCES + 2):
        path = tmp_path / f"source-{number}.jsonl"
        path.write_text("".join(f'{{"id": "{number}-{n}"}}\n' for n in range(number + 1)) + "{\n")
        argv += ["--source", str(path)]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment |= {"TERM": "xterm-256color"}
    with terminals(1) as (terminal,):
        subprocess.run(
            argv, stdout=subprocess.DEVNULL, stderr=terminal.end, env=environment, check=True
        )
    lines = terminal.screen()
    (bar,) = (n for n, line in enumerate(lines) if "━" in line)
    frame = lines[bar - MOST_SOURCES - 1 : bar]
    for number, line in enumerate(frame[:-1]):
        assert re.search(rf"source-{number}\.jsonl +100%, {number + 2} records, .*1 dead$", line)
    assert re.match(r"2 more sources +100%, 21 records, .*2 dead$", frame[-1])
    assert re.search(r"━.* 65 records, .*10 dead", lines[bar])
    assert all(len(line) <= 80 for line in lines[bar - MOST_SOURCES - 1 :])
