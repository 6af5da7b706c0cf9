"""Flags that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
from importlib import import_module

import pytest

from pipelines import flags
from pipelines.command import Parser
from runners.runner import named
from transforms.errors import ConfigError


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("20", 20), (str(2**63 - 1), 2**63 - 1)])
def test_a_count_is_a_whole_number_of_at_least_1(text: str, number: int) -> None:
    assert flags.positive_int(text) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", str(2**63)])
def test_another_count_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a whole number of at least 1"):
        flags.positive_int(text)


def test_a_count_may_have_another_least_number() -> None:
    assert flags.whole(at_least=4)("4") == 4
    for text in ("3", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match="must be"):
            flags.whole(at_least=4)(text)


def test_a_count_may_be_nothing() -> None:
    assert flags.whole(at_least=0)("0") == 0
    for text in ("-1", "x"):
        with pytest.raises(
            argparse.ArgumentTypeError, match="must be a whole number of at least 0"
        ):
            flags.whole(at_least=0)(text)


def test_types_know_the_schema_of_their_values_and_those_that_read_alike_are_equal() -> None:
    described = flags.Described(str, {"type": "string"})
    assert described == flags.Described(str, {"type": "string"})
    assert hash(described) == hash(flags.Described(str, {"type": "string"}))
    assert described != flags.Described(str, {"type": "integer"})
    assert flags.whole(at_least=4).schema == {"type": "integer", "minimum": 4}  # type: ignore[attr-defined]
    assert flags.rate.schema == {"type": "number", "exclusiveMinimum": 0}


def test_seconds_may_be_fractions() -> None:
    assert flags.seconds(at_least=0)("0.5") == 0.5
    assert flags.seconds(at_least=1)("1") == 1


@pytest.mark.parametrize("text", ["-0.1", "nan", "soon", ""])
def test_other_seconds_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be at least 0 s"):
        flags.seconds(at_least=0)(text)


@pytest.mark.parametrize(("chosen", "seconds"), [([], 60.0), (["--outage_budget=7"], 7.0)])
def test_the_budget_of_an_outage_is_the_runners_unless_it_is_chosen(
    chosen: list[str], seconds: float
) -> None:
    parser = Parser()
    flags.add_outage_budget(parser)
    options = parser.parse_args(chosen)
    flags.set_outage_budget(options, named("FlinkRunner"))
    assert options.outage_budget == seconds


@pytest.mark.parametrize(
    "uri", ["s3://bucket/prefix?format=parquet", "file:///data", "S3://bucket"]
)
def test_a_command_that_asks_the_database_refuses_a_place_for_objects_and_names_the_state(
    uri: str,
) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="has as --state: give its URL"):
        flags.database_url(uri)


@pytest.mark.parametrize("url", ["sqlite:///ingest.db", "postgresql+psycopg://user@host/db"])
def test_a_database_is_taken_as_it_is(url: str) -> None:
    assert flags.database_url(url) == url


@pytest.mark.parametrize(
    ("module", "argv"),
    [
        ("audit", []),
        ("runs", ["list"]),
        ("runs", ["show", "--run", "1"]),
        ("exporter", []),
        ("outbox", ["--to", "kafka://h/t"]),
        ("migrate", []),
        ("dead_letters", ["list"]),
        ("dead_letters", ["prune", "--retain", "completed=1d"]),
    ],
)
def test_every_command_that_asks_the_database_refuses_a_place_for_objects(
    module: str, argv: list[str]
) -> None:
    command = import_module(f"pipelines.{module}")
    with pytest.raises(ConfigError, match="--sink: s3:// holds objects only"):
        command.main([*argv, "--sink", "s3://bucket/prefix?format=parquet"])


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("1000", 1_000),
        ("256MB", 256_000_000),
        ("64 KiB", 65_536),
        ("1.5gb", 1_500_000_000),
        ("1GiB", 1 << 30),
    ],
)
def test_a_size_has_a_unit_or_is_bytes(text: str, number: int) -> None:
    assert flags.size(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "MB", "1 XB", "1 MB or so", "9999999999999 GB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be a size such as 256MB"):
        flags.size(text)
