"""The flags of JSON and CSV: what they are without a word of the user."""

from __future__ import annotations

import pytest

from pipelines.command import Parser
from pipelines.ingestion.configuring.layout_flags import add_csv, add_json
from transforms.errors import ConfigError


def _parser() -> Parser:
    parser = Parser(prog="test")
    add_json(parser)
    add_csv(parser)
    return parser


def test_without_a_word_the_layout_of_json_is_looked_for() -> None:
    assert _parser().parse_args([]).json_layout == "auto"


def test_texts_that_stand_for_null_add_up() -> None:
    flags = _parser().parse_args(["--csv_null", "NA", "--csv_null", "-"])
    assert flags.csv_null == ["NA", "-"]
    assert _parser().parse_args([]).csv_null == [], "one call leaves nothing to the next"


def test_a_layout_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="--json_layout: invalid choice: 'tree'"):
        _parser().parse_args(["--json_layout", "tree"])
