"""The rules of every command line: spelling, repetition, one line for a mistake."""

from __future__ import annotations

import pytest

from runners.parser import Parser, called_as, stray


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="python -m somewhere", description="%(prog)s reads.", epilog="a\n  b")
    group = parser.add_argument_group("what is read")
    group.add_argument("--key_field")
    group.add_argument("--source", action="append")
    group.add_argument("--json", action="store_true")
    parser.add_argument("--from", "--since", dest="start", type=int)
    return parser


def test_hyphens_and_underscores_in_names_are_the_same(parser: Parser) -> None:
    for spelling in (["--key-field", "a-b"], ["--key_field=a-b"], ["--key-field=a-b"]):
        assert parser.parse_args(spelling).key_field == "a-b"


def test_an_option_that_appends_may_be_repeated(parser: Parser) -> None:
    assert parser.parse_args(["--source", "a", "--source", "b"]).source == ["a", "b"]


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["--key_field", "a", "--key-field", "b"], "--key_field"),
        (["--key_field=a", "--key_field=a"], "--key_field"),
        (["--from", "1", "--since", "1"], "--since"),
    ],
)
def test_a_second_value_is_one_line_and_exit_code_2(
    parser: Parser, argv: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(argv)
    assert ended.value.code == 2
    line = f"python -m somewhere: {option} is given twice (--help lists every option)\n"
    assert capsys.readouterr() == ("", line)


def test_a_switch_that_is_given_twice_says_the_same_twice(parser: Parser) -> None:
    assert parser.parse_args(["--json", "--json"]).json


def test_one_parser_reads_several_command_lines(parser: Parser) -> None:
    for _ in range(2):
        assert parser.parse_args(["--key_field", "a"]).key_field == "a"


def test_an_action_has_options_of_its_own() -> None:
    parser = Parser(prog="python -m somewhere")
    action = parser.add_subparsers(dest="action").add_parser("list")
    action.add_argument("--table")
    assert parser.parse_args(["list", "--table", "a"]).table == "a"
    with pytest.raises(SystemExit):
        parser.parse_args(["list", "--table", "a", "--table", "b"])


def test_a_program_calls_itself_as_it_was_called() -> None:
    def usage() -> str:
        parser = Parser(prog="python -m somewhere", epilog="example: %(prog)s list")
        actions = parser.add_subparsers(dest="action")
        return parser.format_help() + actions.add_parser("list").format_usage()

    with called_as("sluice here"):
        called = usage()
    assert "example: sluice here list" in called
    assert called.splitlines()[-1].startswith("usage: sluice here list")
    assert "python" not in called
    assert "example: python -m somewhere list" in usage()


def test_lines_of_the_help_stay_as_they_are(parser: Parser) -> None:
    assert parser.format_help().endswith("a\n  b\n")


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--key_field", "caf\udce9"], r"--key_field 'caf\xe9' is not UTF-8 text"),
        (["--key-field=caf\udce9"], r"--key_field 'caf\xe9' is not UTF-8 text"),
        (["--source=a", "--source", "x\0y"], r"--source 'x\x00y' contains the character NUL"),
        (["--ke\udcff=a"], r"--ke\xff 'a' is not UTF-8 text"),
        (["\udcff"], r"argument '\xff' is not UTF-8 text"),
    ],
)
def test_what_is_no_text_is_named_by_its_option(
    parser: Parser, argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(argv)
    assert capsys.readouterr().err.startswith(f"python -m somewhere: {line}")


@pytest.mark.parametrize(
    "argv",
    [
        ["--source", "pg://u:hunter2\udce9@h/d"],
        ["--source", "u:hunter2\udce9@h/d"],
        ["--source", "sasl.password=hunter2\udce9"],
        ["--source", "sasl.password", "hunter2"],
        ["--source=sasl.password", "hunter2", "--json"],
        ["hunter2"],
    ],
)
def test_a_value_that_may_be_a_password_is_not_repeated(
    parser: Parser, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser.parse_args(argv)
    assert "hunter2" not in capsys.readouterr().err


def test_a_value_of_no_option_is_found_by_what_stands_before_it() -> None:
    argv = ["--json", "--source", "a", "b"]
    assert stray(["b"], argv) == "a value that belongs to no option stands behind --source"
    assert stray(["b"], ()) == "a value that belongs to no option"
    assert stray(["b", "--nothing=x"], ()) == "unknown option --nothing"
