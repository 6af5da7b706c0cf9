"""The first hour types what the pages say."""

from __future__ import annotations

import pytest

from benchmarks.first_hour.pages import first_rows, replayed, sections
from benchmarks.first_hour.play import table
from tests.test_readme import ROOT


def test_readme_installs_with_one_command_and_then_loads_a_file_of_the_readers_own() -> None:
    installing, rows = first_rows(ROOT)
    assert installing.commands == ["pip install ../sluice"]
    assert [command.split()[:2] for command in rows.commands] == [
        ["sluice", "ingest"],
        ["python", "-c"],
    ]
    assert rows.files.keys() == {"customers.csv"}


def test_the_tutorial_replays_a_dead_letter_into_sqlite() -> None:
    lesson = replayed(ROOT)
    assert lesson.commands[0] == "export SINK='sqlite:///shop.db'"
    assert "dead-letters replay" in lesson.commands[-2]
    assert lesson.commands[-1].startswith("sluice ingest ")
    assert "postgresql" not in " ".join(lesson.commands)
    assert {"customers.csv", "customers.schema.json"} <= lesson.files.keys()


def test_a_section_that_is_not_there_is_no_section() -> None:
    assert sections("## a\n1\n## b\n2\n", "b") == "\n2\n"
    with pytest.raises(ValueError, match="c"):
        sections("## a\n1\n", "c")


def test_minutes_add_up() -> None:
    assert table([("install", 90.0), ("row", 30.0)]).splitlines()[2:] == [
        "| install | 1:30 | 1:30 |",
        "| row | 0:30 | 2:00 |",
    ]
