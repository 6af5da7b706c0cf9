"""What SQLAlchemy is told of tables that users have made in DuckDB."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.database.backends.duckdb.reflection import columns_of
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database


def test_tables_of_users_are_reflected(duckdb_database: Database) -> None:
    duckdb_database.run(
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (a INTEGER PRIMARY KEY)",
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        'CREATE TABLE "A b" (a INTEGER, b VARCHAR NOT NULL DEFAULT \'x\', "C d" DECIMAL(9,2), e UUID,'
        " f TIMESTAMPTZ, g INTEGER[], h INTEGER GENERATED ALWAYS AS (a + 1), p INTEGER REFERENCES parents (id),"
        ' PRIMARY KEY (a, b), UNIQUE ("C d"), CHECK (a > 0))',
        'CREATE UNIQUE INDEX one ON "A b" ("C d", e)',
        "CREATE VIEW seen AS SELECT 1",
    )
    with transaction(duckdb_database.database, "test") as connection:
        inspector = sa.inspect(connection)
        assert inspector.get_table_names() == ["A b", "parents"]
        assert inspector.get_table_names("other") == ["t"]
        assert inspector.get_view_names() == ["seen"]
        assert set(inspector.get_schema_names()) >= {"main", "other"}
        assert inspector.has_table("a B")
        assert inspector.has_table("t", "other")
        assert not inspector.has_table("t")
        table = sa.Table("A b", sa.MetaData(), autoload_with=connection, resolve_fks=False)
        assert [column.name for column in table.primary_key] == ["a", "b"]
        assert isinstance(table.c.f.type, sa.DateTime)
        assert table.c.f.type.timezone
        assert not table.c.b.nullable
        assert inspector.get_unique_constraints("A b")[0]["column_names"] == ["C d"]
        assert inspector.get_check_constraints("A b")[0]["sqltext"] == "(a > 0)"
        (key,) = inspector.get_foreign_keys("A b")
        assert (key["constrained_columns"], key["referred_table"]) == (["p"], "parents")
        (index,) = inspector.get_indexes("A b")
        assert (index["name"], index["unique"], index["column_names"]) == (
            "one",
            True,
            ["C d", "e"],
        )
        computed = [
            column["name"] for column in inspector.get_columns("A b") if "computed" in column
        ]
        assert computed == ["h"]
        with pytest.raises(sa.exc.NoSuchTableError):
            inspector.get_columns("missing")


def test_expressions_of_an_index_are_no_columns() -> None:
    assert columns_of("[a, '\"B c\"']") == ["a", "B c"]
    assert columns_of("['(a + 1)']") == [None]
