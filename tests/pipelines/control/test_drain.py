"""``sluice drain``."""

from __future__ import annotations

import pytest

from tests.pipelines.control.asked import rows, steer


def test_it_is_a_row_and_a_line(ran: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert steer("drain", ran, reason="before the upgrade") == 0
    assert rows(ran)[""].state == "draining"
    assert capsys.readouterr().out.startswith("pipeline events is draining since ")
