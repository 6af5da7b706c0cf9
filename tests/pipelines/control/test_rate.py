"""``sluice rate``: limits that are set, and forgotten."""

from __future__ import annotations

import pytest

from tests.pipelines.commands import printed
from tests.pipelines.control.asked import rows, steer


def test_limits_are_printed_and_kept(ran: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert steer("rate", ran, "--max_rate", "500") == 0
    assert steer("rate", ran, "--max_bytes_rate", "10MB") == 0
    assert (rows(ran)[""].max_rate, rows(ran)[""].max_bytes_rate) == (500.0, 10_000_000.0)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "pipeline events may read 500 records per second and 1e+07 bytes per second"
    assert steer("rate", ran, "--no_limit") == 0
    assert rows(ran)[""].max_rate is None


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--max_rate", "0"),
        ("--max_rate", "nan"),
        ("--max_bytes_rate", "lots"),
        ("--no_limit", "--max_rate", "5"),
    ],
)
def test_a_limit_that_is_none_is_refused_in_one_line(
    more: tuple[str, ...], ran: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert steer("rate", ran, *more) == 2
    assert len(printed(capsys.readouterr().err)) == 1
    assert rows(ran) == {}
