"""The shell that plays a page fails where a reader would."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from runners.signals import stop_on_signals
from tests.pages.shell import Shell, is_simple, shell_in
from tests.test_readme import Command


@pytest.fixture
def player(tmp_path: Path) -> Iterator[Shell]:
    (tmp_path / "tables.sql").write_text("CREATE TABLE a (id integer)")
    with shell_in(tmp_path, {"HERE": "seven"}) as player:
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
        ("sluice --version", ("sluice …",), True),
        ("sluice --version", ("sluice 99.9",), False),
        ("sluice validate none.yaml; echo $?", ("…", "2"), True),
        ("sluice --version > a.txt", (), True),
        ("sluice --version | grep --count sluice", ("1",), True),
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
    ("block", "right"),
    [
        ("$ export A=1\n$ echo $A > a; cat a\n1\n", True),
        ("$ cat HERE.csv\nid\n", True),
        ("$ cat seven.csv\nnumber\n", False),
    ],
)
def test_a_page_is_followed_with_the_files_that_it_shows(
    block: str, right: bool, player: Shell
) -> None:
    page = player.folder / "page.md"
    page.write_text(f"```csv seven.csv\nid\n```\n```console\n{block}```\n")
    with nullcontext() if right else pytest.raises(AssertionError):
        player.follow(page)


def test_a_file_that_is_shown_again_is_written_again(player: Shell) -> None:
    page = player.folder / "page.md"
    shown = "```csv a.csv\n{0}\n```\n```console\n$ cat a.csv\n{0}\n```\n"
    page.write_text(shown.format("1") + shown.format("2"))
    player.follow(page)


def test_files_are_read_and_printed_to(player: Shell) -> None:
    assert player.run("sluice --version > b.txt") == (0, [])
    assert player.run("sluice --version >> b.txt") == (0, [])
    assert player.run("sluice none 2>> b.txt") == (2, [])
    first, second, third = (player.folder / "b.txt").read_text().splitlines()
    assert first == second != third


def test_a_command_that_does_not_end_is_ended_once_it_has_done_its_work(player: Shell) -> None:
    def wait(_: Sequence[str]) -> int:
        asked = threading.Event()
        with stop_on_signals(asked.set):
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            return 0 if asked.wait(60) else 1

    player.programs = {"waiting": wait}
    assert player.run("waiting", until=lambda lines: "ready" in lines) == (0, ["ready"])


def test_a_command_that_ends_before_it_has_done_its_work_is_seen(player: Shell) -> None:
    with pytest.raises(AssertionError, match="ended with 0"):
        player.run("sluice --version", until=lambda _: False)


@pytest.mark.parametrize(
    ("command", "simple"),
    [
        ("sluice audit > a", True),
        ("sluice audit --text '|' 2>> a", True),
        ("sluice audit | cat", False),
        ("sluice a &", False),
        ("sluice a && sluice b", False),
    ],
)
def test_what_only_a_shell_can_do_is_left_to_bash(command: str, simple: bool) -> None:
    assert is_simple(command) is simple
