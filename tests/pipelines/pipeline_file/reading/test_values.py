"""Values of a file become those that the flags have."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.pipeline_file.definition import options
from pipelines.pipeline_file.reading.values import scalar, value_of
from transforms.errors import ConfigError
from transforms.mapping.reading.document import Part, parsed


def part(text: str) -> Part:
    value: Part = parsed(f"x: {text}", "p.yaml").value["x"]
    return value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_attempts", "3", 3),
        ("max_attempts", "'3'", 3),
        ("backoff_base", "0.5", 0.5),
        ("max_bytes_rate", "10MB", 10_000_000),
        ("streaming", "true", True),
        ("streaming", "'false'", False),
        ("csv_header", "false", "false"),
        ("format", "csv", "csv"),
        ("table", "5", "5"),
        ("key", "a,b", "a,b"),
        ("key", "[a, b]", "a,b"),
        ("exclude", "a", ["a"]),
        ("exclude", "[a, b]", ["a", "b"]),
        ("kafka_config", "{b: true, a: 1}", ["b=true", "a=1"]),
        ("kafka_config", "[a=1]", ["a=1"]),
        ("retain", "{completed: 30d}", ["completed=30d"]),
        ("max_attempts", "null", 10),
        ("max_attempts", "~", 10),
        ("metrics_address", "9400", ("127.0.0.1", 9400)),
    ],
)
def test_a_value_is_read_as_the_flag_reads_it(name: str, text: str, value: Any) -> None:
    assert value_of(options()[name], part(text)) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("max_attempts", "0", "max_attempts must be a whole number of at least 1"),
        ("max_attempts", "[1]", "max_attempts takes one value, got a list"),
        ("max_attempts", "true", "max_attempts takes a text or a number, got true"),
        ("table", "{a: 1}", "table takes one value, got a mapping"),
        ("table", "", "table: a value is missing; write one, or null for the default"),
        ("streaming", "1", "streaming is true or false, got 1"),
        ("streaming", "yes", "streaming is true or false, got yes"),
        ("format", "jsnl", "format: jsnl is no choice; is jsonl meant?"),
        ("create", "x", "create: x is no choice; write one of missing, never"),
        ("key", "['a,b']", "key: a,b has a comma, which separates names"),
        ("kafka_config", "{a: [1]}", "kafka_config.a takes one value, got a list"),
        ("fair", "''", "fair is wrong: expected a field"),
    ],
)
def test_another_type_is_refused_at_its_place(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        value_of(options()[name], part(text))
    assert str(refused.value).startswith("p.yaml:1:")
    assert f": {message}" in str(refused.value)


def test_a_scalar_is_its_text() -> None:
    assert scalar("x", part("1.50")) == "1.50"
