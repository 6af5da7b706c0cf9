"""An error that names an option as a flag gets the place of the option in the file."""

from __future__ import annotations

import pytest

from pipelines.pipeline_file.places import Places, first_in_order, names_in
from transforms.errors import ConfigError

PLACES = Places(
    start="p.yaml:1:1",
    options={"sink": "p.yaml:2:1", "state": "p.yaml:3:1", "runner_options": "p.yaml:9:1"},
    runner={"parallelism": "p.yaml:9:5"},
)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("--state is for a --sink of objects", "p.yaml:3:1: state is for a sink of objects"),
        ("--table t: use --state", "p.yaml:3:1: table t: use state"),
        ("--parallelism: is wrong", "p.yaml:9:5: runner_options.parallelism: is wrong"),
        ("map.yaml:4:2: no operation", "map.yaml:4:2: no operation"),
        ("--set key: is empty", "--set key: is empty"),
        (
            "--set_x no; `sluice audit --sink URL`",
            "p.yaml:1:1: --set_x no; `sluice audit --sink URL`",
        ),
        (
            "missing --table (--help lists every option)",
            "p.yaml:1:1: missing table; write it into the file",
        ),
    ],
)
def test_the_place_is_that_of_the_first_option_that_the_file_sets(text: str, line: str) -> None:
    assert str(PLACES.placed(ConfigError(text))) == line


def test_an_error_of_a_flag_has_no_place_in_the_file() -> None:
    places = Places("p.yaml:1:1", {"sink": "p.yaml:2:1"}, process=frozenset({"detach"}))
    text = "--detach: with DirectRunner the --sink ends"
    assert str(places.placed(ConfigError(text))) == text


def test_the_places_of_one_source_come_first() -> None:
    own = {"": "p.yaml:5:3", "csv_skip": "p.yaml:6:3"}
    assert str(PLACES.placed(ConfigError("--csv_skip -1"), own)) == "p.yaml:6:3: csv_skip -1"
    assert str(PLACES.placed(ConfigError("no topic"), own)) == "p.yaml:5:3: no topic"


def test_errors_are_sorted_by_file_line_and_column() -> None:
    texts = ["b.yaml:1:1: x", "a.yaml:10:1: x", "a.yaml:9:12: x", "a.yaml:9:2: x", "no place"]
    ordered = [str(error) for error in sorted(map(ConfigError, texts), key=first_in_order)]
    assert ordered == [texts[4], texts[3], texts[2], texts[1], texts[0]]


def test_the_options_that_an_error_names() -> None:
    assert names_in(ConfigError("missing --sink, --table")) == {"sink", "table"}
