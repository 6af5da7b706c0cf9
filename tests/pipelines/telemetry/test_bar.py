"""The lines above the bar, and the bar."""

from __future__ import annotations

import pytest
from rich.console import Console

from pipelines.telemetry.bar import Bar


def test_the_lines_stand_above_the_bar_and_end_where_the_terminal_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = Bar()
    bar.add_task("ingest", total=10, completed=5, line="7 records")
    bar.rows = ["first [bold]", "x" * 200]
    Console(width=100).print(bar.get_renderable())
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "first [bold]"
    assert second == "x" * 99 + "…"
    assert "50%" in last
    assert "7 records" in last
