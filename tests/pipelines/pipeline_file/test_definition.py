"""The options of a file are those of the command line."""

from __future__ import annotations

import argparse

import pytest

from pipelines.ingestion.flags import parser
from pipelines.pipeline_file.definition import PROCESS, defaults, options


def test_every_flag_of_an_ingest_is_an_option() -> None:
    flags = {name for action in parser().actions() for name in action.option_strings}
    assert {f"--{name}" for name in options()} == flags - {"-h", "--help"}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("streaming", "switch"),
        ("table", "one"),
        ("key", "names"),
        ("csv_columns", "names"),
        ("source", "several"),
        ("exclude", "several"),
        ("kafka_config", "pairs"),
        ("retain", "pairs"),
        ("epoch", "pairs"),
    ],
)
def test_the_parser_says_what_stands_behind_an_option(name: str, form: str) -> None:
    assert options()[name].form == form


def test_what_every_file_needs_is_what_every_command_line_needs() -> None:
    assert [name for name, option in options().items() if option.required] == ["source", "sink"]


def test_a_type_knows_its_schema_and_its_reader() -> None:
    assert options()["poll_interval"].schema == {"type": "number", "minimum": 0.1}
    assert options()["max_attempts"].read("3") == 3
    with pytest.raises(argparse.ArgumentTypeError):
        options()["max_rate"].read("0")
    assert options()["csv_header"].schema == {"enum": ["true", "false", True, False]}


def test_defaults_are_those_of_the_command_line_and_nobodys_to_change() -> None:
    defaults().exclude.append("*.tmp")
    assert vars(defaults()) == vars(parser().parse_known_args([])[0])


def test_the_options_of_the_process_are_options() -> None:
    assert set(PROCESS) <= options().keys()
