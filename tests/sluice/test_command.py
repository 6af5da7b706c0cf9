"""``sluice NAME …`` finds the command, and helps whoever mistypes it."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from sluice.command import main, program
from sluice.table import COMMANDS, Command

NAMES = [command.name for command in COMMANDS]


def helped(*argv: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_alone_it_lists_every_command_once_in_its_group(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 0
    blocks = capsys.readouterr().out.split("\n\n")
    listed: dict[str, str] = {}
    for group, *lines in (block.splitlines() for block in blocks):
        listed |= {line.split()[0]: group.rstrip(":") for line in lines if line[2:3].isalpha()}
    assert {name: listed[name] for name in NAMES} == {
        command.name: command.group for command in COMMANDS
    }


def test_a_group_stands_together() -> None:
    groups = [command.group for command in COMMANDS]
    assert groups == sorted(groups, key=groups.index)


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sluice {version('sluice')}\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("igest", "there is no command 'igest'; did you mean ingest?"),
        ("dead_leters", "there is no command 'dead_leters'; did you mean dead-letters?"),
        ("qqq", f"there is no command 'qqq'; use one of {', '.join(NAMES)}"),
        ("--source=x", "name a command before the option --source=x (--help lists them)"),
    ],
)
def test_a_wrong_command_is_one_line_with_the_nearest_one(
    name: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--sink", "x"]) == 2
    assert capsys.readouterr() == ("", f"sluice: {hint}\n")


@pytest.mark.parametrize(
    "forgotten",
    [
        "postgresql://ann:secret'word@db/x",
        "postgresql://ann:secret-word@db/x",
        "--password=secret-word",
    ],
)
def test_a_secret_in_the_place_of_a_command_is_not_printed(
    forgotten: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([forgotten]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "***" in line
    assert "secret" not in line


def test_what_stands_in_the_place_of_a_command_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--\x1b[2J\nx"]) == 2
    line = "sluice: name a command before the option --\\x1b[2J x (--help lists them)\n"
    assert capsys.readouterr().err == line


def test_an_interrupt_while_a_command_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(command: Command) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Command, "load", load)
    monkeypatch.setattr("sys.argv", ["sluice", "audit"])
    with pytest.raises(SystemExit) as ended:
        program()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "sluice: interrupted\n")


@pytest.mark.parametrize("spelling", ["dead-letters", "dead_letters"])
def test_hyphens_and_underscores_in_a_command_are_the_same(
    spelling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = helped(spelling, "list", "--help", capsys=capsys)
    assert text.startswith("usage: sluice dead-letters list ")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
class TestEachCommand:
    def test_its_help_has_groups_and_ends_with_examples(
        self, command: object, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = getattr(command, "name", "")
        text = helped(name, "--help", capsys=capsys)
        assert text.startswith(f"usage: sluice {name}")
        examples = text[text.rindex("examples:") :].splitlines()[1:]
        assert any(f"sluice {name}" in line for line in examples)
        assert all(line.startswith("  ") for line in examples)
        assert "%(" not in text

    def test_a_mistake_is_one_line(
        self, command: object, capsys: pytest.CaptureFixture[str]
    ) -> None:
        name = getattr(command, "name", "")
        try:
            code = main([name, "--no_such_option"])
        except SystemExit as ended:
            code = ended.code  # type: ignore[assignment]
        assert code == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)


def test_python_runs_a_module_under_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    from pipelines import audit

    with pytest.raises(SystemExit):
        audit.main(["--help"])
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m pipelines.audit ")
    assert "  python -m pipelines.audit --sink sqlite:///ingest.db" in text.splitlines()


def test_a_command_carries_out_what_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--sink", "nosuch://x"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("audit: unknown database 'nosuch'")
