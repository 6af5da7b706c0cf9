"""How the items of the doctor are printed."""

from __future__ import annotations

import json

import pytest

from pipelines.operation.doctor_output import as_object, lines, program_version, show
from sinks.doctor.item import Item

ITEMS = [
    Item("a", "ok", "fine"),
    Item("b", "warning", "two\nlines \x1b[2J", "t", "do it"),
    Item("c", "error", "broken"),
    Item("d", "skipped", "cannot tell"),
]


def test_the_worst_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    show(ITEMS, as_json=True)
    assert [item["check"] for item in json.loads(capsys.readouterr().out)] == ["c", "b", "d", "a"]
    show(ITEMS, as_json=False)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "error: c: broken"
    assert out[-1] == "4 checks: 1 error, 1 warning, 1 skipped, 1 ok"


def test_an_item_is_a_line_and_what_to_do_another() -> None:
    assert list(lines(ITEMS))[:2] == ["warning: b [t]: two lines \\x1b[2J", "    do it"]


def test_no_secret_is_shown() -> None:
    url = "postgresql://u:hunter2hunter2@h/d"
    item = Item("a", "error", url, url, url, {"list": [url], "map": {"x": url}})
    assert "hunter2" not in json.dumps(as_object(item))
    assert "hunter2" not in "".join(lines([item]))


def test_the_version_is_text() -> None:
    assert program_version()
