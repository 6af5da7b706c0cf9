"""A line for each check, what is not kept below one that failed, and the same as JSON."""

from __future__ import annotations

import json

import pytest

from pipelines.conformance import output
from pipelines.conformance.check import Check, Result

KEPT = Check("types.text", "text is stored exactly", lambda _ground, _trial: None)
RESULTS = [
    Result(KEPT, "passed", "", 0.25),
    Result(KEPT, "failed", "got\n\x1b[2J postgresql://u:hunter2hunter2@h/d", 1.0),
    Result(KEPT, "not offered", "one writer", 0.0),
]


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert output.show(iter(RESULTS), as_json=False) == RESULTS
    first, second, third, fourth, last = capsys.readouterr().out.splitlines()
    assert first == "passed: types.text"
    assert second.startswith("failed: types.text: got \\x1b[2J")
    assert "hunter2" not in second
    assert third == "    not kept: text is stored exactly"
    assert fourth == "not offered: types.text: one writer"
    assert last == "3 checks: 1 passed, 1 failed, 1 not offered, in 1.2 s"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(iter(RESULTS), as_json=True)
    text = capsys.readouterr().out
    assert "hunter2" not in text
    passed, failed, other = json.loads(text)
    assert passed == {
        "check": "types.text",
        "guarantee": "text is stored exactly",
        "status": "passed",
        "why": "",
        "seconds": 0.25,
    }
    assert (failed["status"], other["status"]) == ("failed", "not offered")
