"""The JSON Schema of pipeline files takes what is right, and marks what is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from pipelines.pipeline_file.definition import options
from pipelines.pipeline_file.json_schema import schema
from transforms.mapping.reading.document import parsed


def plain(text: str) -> Any:
    return floats(parsed(text, "p.yaml").plain)


def floats(value: Any) -> Any:
    """The value with numbers as ``jsonschema`` knows them."""
    if isinstance(value, dict):
        return {key: floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [floats(inner) for inner in value]
    return float(value) if isinstance(value, Decimal) else value


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema())


def test_the_schema_is_one_of_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_option_has_a_description() -> None:
    properties = schema()["properties"]
    assert [*options(), "runner_options"] == list(properties)
    assert all(len(one["description"]) > 10 for one in properties.values())


@pytest.mark.parametrize(
    "text",
    [
        "source: a.csv\nsink: sqlite:///a.db\ntable: t\nkey: [a, b]\nmax-attempts: 3",
        "source: [a, {uri: b, csv_delimiter: ;, csv_header: false}]\nstreaming: true",
        "source: {uri: 'kafka://h/t', group: g, start: 'offset:5', kafka_config: {a: true}}",
        "step: [./a.py:f, {function: ./a.py:g, concurrency: 8, timeout: 0.5}]",
        "map: m.yaml\nroutes: r.yaml\nschema: s.json",
        "map: [{rename: {a: b}}, {drop: [c]}]\nschema: {type: object}",
        "routes: {routes: [{table: t, when: {field: a, is: 1}, map: [{drop: [a]}]}], default: dead}",
        "max_attempts: ${env:ATTEMPTS}\nstreaming: ${env:STREAMING}\npoll_interval: null",
        "kafka_config: [a=1]\nretain: {completed: 30d}\nepoch: t=ms",
        "runner: FlinkRunner\nrunner_options: {parallelism: 4, experiments: [a, b]}",
        "max_dead: 5\nmax_bytes_rate: 10MB\nmetrics_address: 9400",
        "max_dead: 0.5%\nmax_bytes_rate: 1000\nmetrics_address: 'h:9400'",
    ],
)
def test_what_is_right_is_taken(text: str, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(plain(text))


@pytest.mark.parametrize(
    "text",
    [
        "tabel: t",
        "table: [t]",
        "max_attempts: 0",
        "max_attempts: many",
        "poll_interval: 0.01",
        "max_rate: 0",
        "streaming: yes",
        "format: jsnl",
        "on_conflict: replace",
        "source: {uri: a, table: t}",
        "source: []",
        "step: {function: f, concurency: 8}",
        "map: [{renme: {a: b}}]",
        "map: {rename: {a: b}}",
        "routes: {routes: [{tabel: t}]}",
        "kafka_config: [a]",
        "runner_options: [a]",
        "runner: Flink",
    ],
)
def test_what_is_wrong_is_marked(text: str, validator: jsonschema.Draft202012Validator) -> None:
    assert not validator.is_valid(plain(text))
