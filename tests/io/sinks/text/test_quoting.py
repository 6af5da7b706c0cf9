"""Identifiers are only names, whatever they contain."""

from __future__ import annotations

import sqlite3

import pytest

from sinks.text.quoting import quote, quoted
from transforms.route.table_name import TableName


@pytest.mark.parametrize("name", ["plain", 'we"ird', "select", "a.b; --", "%s {x}", "Größe"])
def test_a_quoted_name_is_read_back_as_it_was(name: str) -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE {quoted(TableName(name))} ({quote(name)} integer)")
        cursor = connection.execute(f"SELECT * FROM {quote(name)}")
        assert [column[0] for column in cursor.description] == [name]
    connection.close()


def test_a_schema_is_quoted_apart_from_its_table() -> None:
    assert quoted(TableName("a.b", "app")) == '"app"."a.b"'
