"""The bar is drawn on stderr, from the tally of this process."""

from __future__ import annotations

import threading

import pytest

from pipelines import progress
from transforms import metrics


def test_without_a_terminal_the_last_state_is_shown_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics.reset()
    with progress.shown(True):
        metrics.count_all([("read", 1_234), ("dead", 5)])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("1,234 records") == 1
    assert "5 dead" in captured.err


def test_nothing_is_shown_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(False):
        pass
    assert capsys.readouterr() == ("", "")


def test_its_thread_ends_with_the_block_even_by_an_error() -> None:
    with pytest.raises(ValueError, match="oops"), progress.shown(True):
        raise ValueError("oops")
    assert "progress" not in {thread.name for thread in threading.enumerate()}
