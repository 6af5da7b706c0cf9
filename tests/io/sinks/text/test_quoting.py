"""Identifiers are only names, whatever they contain."""

from __future__ import annotations

import sqlite3

import psycopg2
import pytest

from sinks.text.quoting import literal, quote, quoted
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


@pytest.mark.integration
def test_a_literal_is_its_text(postgres_url: str) -> None:
    text = "it's \\' E'' %s $$ \N{SNOWMAN}\n; --"
    connection = psycopg2.connect(postgres_url.replace("postgresql+psycopg2", "postgresql"))
    try:
        for conforming in ("on", "off"):
            cursor = connection.cursor()
            cursor.execute(f"SET standard_conforming_strings = {conforming}")
            cursor.execute(f"SELECT {literal(text)}")
            assert cursor.fetchone() == (text,)
            cursor.execute(f"SELECT {literal(chr(0) + chr(0xD800))}")
            assert cursor.fetchone() == ("?",)
    finally:
        connection.close()
