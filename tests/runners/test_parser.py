"""The rules of every command line: spelling, repetition, one line for a mistake."""

from __future__ import annotations

import pytest

from runners.parser import Parser, called_as


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
