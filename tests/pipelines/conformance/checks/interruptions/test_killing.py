"""Processes are killed where it is asked for, and one that ends by itself fails the check."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipelines.conformance.check import Failed
from pipelines.conformance.checks.interruptions import killed, killing
from pipelines.conformance.checks.interruptions.killing import End
from tests.pipelines.conformance.grounds import sqlite_ground


def test_a_process_is_killed_where_it_is_asked_for(tmp_path: Path) -> None:
    with sqlite_ground(tmp_path) as ground, killing.killing() as kills:
        ground.sink("events", key=["id"], schema=killed.SCHEMA)
        assert kills.end_of(ground, "events", 0, 1) == End(-signal.SIGKILL, "statement 1")
        assert kills.end_of(ground, "events", 1, 1000) == End(-signal.SIGKILL, killed.COMMIT)
        assert ground.number("events") == 0
        assert kills.end_of(ground, "events", 2, killed.AFTER) == End(-signal.SIGKILL, killed.AFTER)
        assert ground.rows("events", "id") == [(number,) for number in killed.numbers(2)]
        with pytest.raises(Failed, match=r"ended by itself: ConfigError: .*"):
            kills.end_of(ground, "", 3, 0)


def test_an_interpreter_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killed, "__name__", "no_such_module")
    with (
        sqlite_ground(tmp_path) as ground,
        killing.killing() as kills,
        pytest.raises(Failed, match=r"ended by itself: .*no_such_module"),
    ):
        kills.end_of(ground, "events", 0, 0)
