"""The shell that plays an example fails where a reader would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.examples.shell import EXAMPLES, Shell, section, shell
from tests.test_readme import Command


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Shell]:
    with shell("mirror", tmp_path, {"HERE": "seven"}) as (player, _):
        yield player


@pytest.mark.parametrize(
    ("text", "output", "right"),
    [
        ("sqlite3 a.db 'SELECT 1, NULL, 2.5'", ("1||2.5",), True),
        ("sqlite3 a.db 'SELECT 1'", ("2",), False),
        ("sqlite3 a.db < tables.sql", (), True),
        ("echo HERE", ("seven",), True),
        ("echo HERE", ("HERE", "and more"), False),
        ("false", (), False),
        ("sluice no-such-command", (), False),
        ("until test \"$(sqlite3 a.db 'SELECT 7')\" = 7; do sleep 1; done", (), True),
    ],
)
def test_a_command_has_to_succeed_and_to_print_what_the_page_shows(
    player: Shell, text: str, output: tuple[str, ...], right: bool
) -> None:
    with nullcontext() if right else pytest.raises(AssertionError):
        player.play([Command(text, output)])


def test_what_is_exported_holds_for_later_commands(player: Shell) -> None:
    player.play([Command("export A='1 2'", ()), Command('echo "$A"', ("1 2",))])


def test_what_goes_on_in_the_background_is_ended_and_its_exit_code_counts(player: Shell) -> None:
    player.play([Command("sleep 100 &", ())])
    with pytest.raises(AssertionError, match="ended with -15"):
        player.play([Command("kill %1; wait", ())])


@pytest.mark.parametrize(
    "page", sorted(EXAMPLES.glob("*/README.md")), ids=lambda page: page.parent.name
)
def test_every_section_of_an_example_that_has_commands_is_played(page: Path) -> None:
    tests = (Path(__file__).parent / f"test_{page.parent.name}.py").read_text()
    titles = [
        line.removeprefix("## ") for line in page.read_text().splitlines() if line.startswith("## ")
    ]
    assert section(page)
    assert [title for title in titles if section(page, title) and f'"{title}"' not in tests] == []
