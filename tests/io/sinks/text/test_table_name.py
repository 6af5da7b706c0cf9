"""Table names are read with their schema, and quoted where they have dots."""

from __future__ import annotations

import pytest

from sinks.text.table_name import TableName
from transforms.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("t", None, "t"),
        ("s.t", "s", "t"),
        ("s.t.u", "s", "t.u"),
        ('we"ird', None, 'we"ird'),
        ('"s.x"."t""y"', "s.x", 't"y'),
        ('"t"', None, "t"),
    ],
)
def test_names_are_read(text: str, schema: str | None, name: str) -> None:
    assert TableName.parse(text) == TableName(name, schema)


@pytest.mark.parametrize("text", ["", ".", "a.", ".b", '"', '""', '"a"."b"."c"', '"a"x'])
def test_broken_names_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="table must be"):
        TableName.parse(text)
