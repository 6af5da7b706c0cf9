"""Sources with options of their own."""

from __future__ import annotations

import pytest

from pipelines.pipeline_file.reading.source_list import sources_in
from transforms.errors import ConfigError
from transforms.mapping.reading.document import parsed

BROKER = "kafka://h:9/t"


def refused(error: ConfigError) -> None:
    raise error


def errors_of(text: str) -> list[str]:
    errors: list[ConfigError] = []
    sources_in(parsed(text, "p.yaml"), [], errors.append)
    return [str(error) for error in errors]


def test_a_source_is_a_uri_or_a_mapping() -> None:
    text = f"[a.csv, {{uri: b.csv, csv-delimiter: ;, csv_null: [NA]}}, {{uri: '{BROKER}', group: g h, start: 'offset:5'}}]"
    sources = sources_in(parsed(text, "p.yaml"), [], refused)
    assert sources.uris == ["a.csv", "b.csv", f"{BROKER}?group=g%20h&start=offset:5"]
    assert sources.alone == {"b.csv": {"csv_delimiter": ";", "csv_null": ["NA"]}}
    assert sources.places["b.csv"]["csv_delimiter"] == "p.yaml:1:22"
    assert sources_in(parsed("a.csv", "p"), [], refused).uris == ["a.csv"]


def test_settings_of_one_topic_win_over_those_of_all() -> None:
    text = f"{{uri: '{BROKER}', kafka_config: {{a: 2}}}}"
    sources = sources_in(parsed(text, "p"), ["a=1", "b=1"], refused)
    assert sources.alone[BROKER] == {"kafka_config": ["b=1", "a=2"]}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{group: g}", "p.yaml:1:1: a source has a uri"),
        ("{uri: a, group: g}", "p.yaml:1:10: group is for topics, kafka://…; leave it out here"),
        ("{uri: a, grop: g}", "p.yaml:1:10: a source has no grop; is group meant?"),
        ("{uri: a, table: g}", "p.yaml:1:10: table is an option of the whole pipeline"),
        ("{uri: a, csv_skip: x}", "p.yaml:1:20: csv_skip must be a whole number, got 'x'"),
        ("[a, a]", "p.yaml:1:5: source: a occurs twice"),
        ("[]", "p.yaml:1:1: source is an empty list"),
        ("[[a]]", "p.yaml:1:2: source takes one value, got a list"),
    ],
)
def test_a_wrong_source_is_reported_at_its_place(text: str, line: str) -> None:
    (error,) = errors_of(text)
    assert error.startswith(line)


def test_every_mistake_of_a_source_is_reported() -> None:
    assert len(errors_of("{uri: a, x: 1, y: 2}")) == 2
