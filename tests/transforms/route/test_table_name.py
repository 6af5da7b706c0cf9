"""Table names are read with their schema, and quoted where they have dots."""

from __future__ import annotations

import pytest

from transforms.errors import ConfigError
from transforms.route.table_name import TableName


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


@pytest.mark.parametrize("name", ["a\0", "\ud800"])
def test_names_that_no_database_can_have_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no database can have"):
        TableName.parse(name)


def test_a_label_leaves_the_default_schema_out() -> None:
    names = ("public.orders", '"public"."orders"', "orders", "public", "app.orders", '"a.b"."c""d"')
    assert [TableName.parse(name).label("public") for name in names] == [
        *("orders", "orders", "orders", "public", "app.orders", 'a.b.c"d')
    ]
    assert TableName.parse("public.orders").label(None) == "public.orders"
