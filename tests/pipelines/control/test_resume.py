"""``sluice resume``: the row, and what is still held."""

from __future__ import annotations

import pytest

from pipelines import command
from pipelines.control import resume
from tests.pipelines.commands import printed
from tests.pipelines.control.asked import rows, steer
from tests.pipelines.control.conftest import FILE


def test_it_needs_no_reason(ran: str) -> None:
    steer("pause", ran)
    argv = ["--sink", ran, "--pipeline", "events"]
    assert command.run("resume", resume.main, argv) == 0
    row = rows(ran)[""]
    assert (row.state, row.reason) == ("running", "resumed")
    assert row.resumed_at is not None


def test_it_says_what_is_still_held(ran: str, capsys: pytest.CaptureFixture[str]) -> None:
    steer("pause", ran, "--source", f"./{FILE}")
    steer("pause", ran)
    capsys.readouterr()
    assert steer("resume", ran) == 0
    (line,) = printed(capsys.readouterr().err)
    assert f"source ./{FILE} of pipeline events is paused" in line
    assert line.endswith(f"to resume that, too: --source ./{FILE}")
    steer("pause", ran)
    capsys.readouterr()
    assert steer("resume", ran, "--source", f"./{FILE}") == 0
    (line,) = printed(capsys.readouterr().err)
    assert line.endswith("to resume that, too: leave out --source")
