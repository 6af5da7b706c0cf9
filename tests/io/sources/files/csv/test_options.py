from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from sources.files.csv.options import CsvOptions
from transforms.errors import ConfigError


def test_they_are_as_a_user_writes_them() -> None:
    options = CsvOptions.of(
        delimiter="TAB", quote="NONE", header="true", columns="id, name", nulls=("NA", "", "NA")
    )
    assert options == CsvOptions("\t", "", header=True, columns=("id", "name"), nulls=("NA", ""))
    assert CsvOptions.of(delimiter="\\t").delimiter == "\t"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"delimiter": ";;"}, "--csv_delimiter"),
        ({"delimiter": ""}, "--csv_delimiter"),
        ({"quote": "\n"}, "--csv_quote"),
        ({"escape": "é"}, "--csv_escape"),
        ({"comment": "//"}, "--csv_comment"),
        ({"delimiter": "'", "quote": "'"}, "--csv_delimiter, --csv_quote"),
        ({"skip": -1}, "--csv_skip"),
        ({"columns": "a,,b"}, "--csv_columns"),
        ({"columns": "a,a"}, "--csv_columns"),
        ({"header": "yes"}, "--csv_header"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        CsvOptions.of(**options)


def test_options_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CsvOptions().skip = 1  # type: ignore[misc]
