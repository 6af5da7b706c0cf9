"""Portable SQL where it cannot do what other dialects do."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.database.backends.generic import Generic
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database
from transforms.errors import Contention

names = sa.Table("names", sa.MetaData(), sa.Column("name", sa.Text, primary_key=True))


def test_a_row_that_appears_in_between_asks_for_another_try(sqlite_database: Database) -> None:
    sqlite_database.run(
        "CREATE TABLE names (name TEXT PRIMARY KEY)",
        "CREATE TRIGGER other BEFORE INSERT ON names WHEN NEW.name = 'a' "
        "BEGIN INSERT INTO names VALUES ('b'); END",
    )
    rows = [{"name": "a"}, {"name": "b"}]
    with (
        pytest.raises(Contention, match="entered the same rows of names"),
        transaction(sqlite_database.database, "test") as connection,
    ):
        Generic().insert_absent(connection, names, rows, "name")
    assert sqlite_database.rows("SELECT * FROM names") == []
