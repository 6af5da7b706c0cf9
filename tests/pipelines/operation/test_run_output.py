"""Runs are printed so that nothing in them steers the terminal."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from pipelines import command
from pipelines.operation.run_output import print_list, print_one
from sinks.runs.history import RunRow, WorkerRow
from transforms.batch.counts import Counts

AT = datetime(2026, 3, 1, 12, 30, 45, 999, tzinfo=UTC)
WORKER = WorkerRow("w", AT, AT, None, AT, Counts(read=1_234, inserted=1_234), {"lag": {"t": 7}})
RUN = RunRow(
    id="0123456789",
    pipeline="a\x1b[2J",
    target="events",
    runner="DirectRunner",
    program="root@host:1",
    version="1.2.3",
    options={"key": "id", "source": ["a", "b"]},
    streaming=True,
    job=None,
    started_at=AT,
    ended_at=None,
    message=None,
    state="running",
    workers=(WORKER, WORKER),
)


def test_a_list_is_bounded_to_what_tells_runs_apart(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([RUN], as_json=False)
    out = capsys.readouterr().out
    assert "01234567 " in out
    assert "0123456789" not in out
    assert "2026-03-01 12:30:45Z" in out
    assert "2,468" in out, "what both processes have read"


@pytest.mark.parametrize("whole", [True, False])
def test_control_characters_are_escaped(whole: bool, capsys: pytest.CaptureFixture[str]) -> None:
    if whole:
        print_one(RUN, as_json=False)
    else:
        print_list([RUN], as_json=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "a\\x1b[2J" in out


def test_options_are_shown_as_they_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    print_one(RUN, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["--source", "a,", "b"] in lines


def test_the_version_of_the_pipeline_file_is_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    version = {"path": "p.yaml", "hash": "a" * 64, "commit": f"{'b' * 40}+dirty", "env": "prod"}
    run = replace(RUN, options={"key": "id", "file": version})
    print_one(run, as_json=False)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    line = "p.yaml, environment prod, hash aaaaaaaaaaaa, commit bbbbbbbbbbbb+dirty"
    assert f"pipeline file {line}" in lines
    assert not any(text.startswith("--file") for text in lines)
    print_one(run, as_json=True)
    assert json.loads(capsys.readouterr().out)["options"]["file"] == version


def test_json_has_times_and_the_counts_of_all_processes(capsys: pytest.CaptureFixture[str]) -> None:
    print_one(RUN, as_json=True)
    run = json.loads(capsys.readouterr().out)
    assert run["started_at"] == "2026-03-01T12:30:45.000999+00:00"
    assert (run["read"], run["workers"][0]["read"]) == (2_468, 1_234)
    assert run["workers"][0]["figures"] == {"lag": {"t": 7}}
    assert run["tables"]["events"]["read"] == 2_468


ROUTED = replace(
    RUN,
    workers=tuple(
        replace(WORKER, figures={"tables": {"orders": {"read": read, "inserted": read}}})
        for read in (1_000, 1_200)
    ),
)


def test_several_tables_have_a_line_each_and_the_own_one_has_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_one(ROUTED, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[-3:] == [
        ["table", "read", "inserted"],
        ["events", "268", "268"],
        ["orders", "2,200", "2,200"],
    ]
    print_one(RUN, as_json=False)
    assert "table   read" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("held", "state"),
    [
        ({"": "paused", "kafka://a": "paused"}, "running, paused"),
        ({"a": "paused"}, "running, 1 source held"),
    ],
)
def test_a_run_that_is_held_says_so(
    held: dict[str, str], state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_list([replace(RUN, held=held)], as_json=False)
    assert state in capsys.readouterr().out
    print_list([replace(RUN, held=held)], as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["held"] == held


@pytest.mark.parametrize("terminal", [True, False])
def test_a_name_is_never_cut(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if terminal:
        monkeypatch.setattr(
            command, "console", lambda: Console(width=80, force_terminal=True, no_color=True)
        )
    name, path = "customers_of_the_shop_with_long_name" * 5, "/x" * 100
    run = replace(RUN, pipeline=name, target=name, options={"source": [path]})
    print_list([run], as_json=False)
    assert f" {name} " in capsys.readouterr().out
    print_one(run, as_json=False)
    whole = "".join(capsys.readouterr().out.split())
    assert name in whole, "folded on a terminal"
    assert path in whole
