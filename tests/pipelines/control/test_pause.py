"""``sluice pause``: the row, what is printed, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines import command
from pipelines.control import pause
from tests.pipelines.commands import printed
from tests.pipelines.control.asked import rows, steer
from tests.pipelines.control.conftest import FILE


def test_it_is_printed_with_the_command_that_ends_it(
    ran: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert steer("pause", ran, "--by", "ann", reason="the disk is full") == 0
    line, more = capsys.readouterr().out.splitlines()
    assert line.startswith("pipeline events is paused since ")
    assert line.endswith("Z by ann: the disk is full")
    assert more == f"go on with: sluice resume --pipeline events --sink {ran}"
    assert rows(ran)[""].state == "paused"


def test_a_source_is_named_as_the_ingest_or_the_audit_names_it(ran: str) -> None:
    for name in (f"./{FILE}", f"file://{Path.cwd() / FILE}"):
        assert steer("pause", ran, "--source", name) == 0
    assert set(rows(ran)) == {f"./{FILE}", f"file://{Path.cwd() / FILE}"}


def test_json_is_a_list_of_the_rows(ran: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert steer("pause", ran, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["pipeline"], row["source"], row["state"]) == ("events", "", "paused")
    assert row["resumed_at"] is None


@pytest.mark.parametrize(
    ("option", "value", "line"),
    [
        ("--pipeline", "zz", "there is no pipeline 'zz'; there are: events"),
        ("--source", "kafka://x", f"reads no source kafka://x; it reads: ./{FILE}, file:///"),
        ("--reason", " ", "--reason is empty"),
        ("--reason", None, "the following arguments are required: --reason"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    option: str, value: str | None, line: str, ran: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"--sink": ran, "--pipeline": "events", "--reason": "why", option: value}
    argv = [text for name, text in options.items() if text is not None for text in (name, text)]
    assert command.run("pause", pause.main, argv) == 2
    (said,) = printed(capsys.readouterr().err)
    assert line in said
    assert rows(ran) == {}
