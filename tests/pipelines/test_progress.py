"""How far a run is, is drawn or written on stderr, from what this process counts."""

from __future__ import annotations

import sys
import threading

import pytest

from pipelines import progress
from pipelines.progress import Mode
from transforms import metrics
from transforms.batch.backoff import Backoff, Outage


@pytest.fixture(autouse=True)
def _anew() -> None:
    metrics.reset()


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
