from __future__ import annotations

import pytest

from sinks.text.table_name import TableName
from transforms.errors import ConfigError
from transforms.route.label import label_of


@pytest.mark.parametrize("name", ["orders", "app.orders", "a.b.c", '"dotted.name"', '"a.b"."c""d"'])
def test_a_label_is_what_the_sink_calls_the_table(name: str) -> None:
    assert label_of(name) == str(TableName.parse(name))


def test_the_default_schema_is_left_out() -> None:
    names = ("public.orders", '"public"."orders"', "orders", "public", "app.orders")
    assert [label_of(name, "public") for name in names] == [
        *("orders", "orders", "orders", "public", "app.orders")
    ]


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", '"a', '"a"b', '""', "a\0"])
def test_what_is_no_table_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a table is "):
        label_of(name)
    with pytest.raises(ConfigError):
        TableName.parse(name)
