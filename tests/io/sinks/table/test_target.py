"""A table that does not fit the configuration is refused, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.table.config import OnConflict
from sinks.table.target import Column, Target
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.errors import ConfigError
from transforms.parse.columns.columnar import ColumnForms
from transforms.route.table_name import TableName

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"


class TestTargetOf:
    def test_a_missing_key_column_is_named(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match=r"no key column ident; it has id, name, seen"):
            database.sink(key=["ident"])

    def test_a_key_without_a_unique_constraint_is_refused(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match=r"unique constraint on exactly the key \(name\)"):
            database.sink(key=["name"])

    def test_a_unique_constraint_over_more_than_the_key_is_no_key(self, database: Database) -> None:
        database.run("CREATE TABLE events (a integer, b integer, UNIQUE (a, b))")
        with pytest.raises(ConfigError, match="unique constraint"):
            database.sink(key=["a"])

    def test_a_unique_index_will_do(self, database: Database) -> None:
        database.run(
            "CREATE TABLE events (a integer, b integer)", "CREATE UNIQUE INDEX e ON events (b, a)"
        )
        sink = database.sink(key=["a", "b"])
        (settled,) = sink.commit([make_batch([{"a": 1, "b": 1}, {"a": 1, "b": 1}])])
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}

    def test_a_partial_unique_index_will_not(self, database: Database) -> None:
        if database.kind in ("mariadb", "duckdb"):
            pytest.skip("MariaDB and DuckDB have no partial indexes")
        database.run(
            "CREATE TABLE events (a integer)", "CREATE UNIQUE INDEX e ON events (a) WHERE a > 0"
        )
        with pytest.raises(ConfigError, match="unique constraint"):
            database.sink(key=["a"])

    def test_a_missing_newest_column_is_named(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match="no column at for on_conflict newest:at"):
            database.sink(key=["id"], on_conflict="newest:at")

    def test_a_table_without_key_needs_the_origin_columns(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match="give --key"):
            database.sink()

    def test_unknown_fields_payload_needs_its_column(self, database: Database) -> None:
        database.run(TABLE)
        with pytest.raises(ConfigError, match="no column payload"):
            database.sink(key=["id"], unknown_fields="payload")


class TestColumnForms:
    TARGET = Target(
        table=TableName("t"),
        label="t",
        columns=(Column("id", "numeric"), Column("n", "numeric"), Column("s", "text")),
        generated=frozenset(),
        key=("id",),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict(),
        unknown_fields="reject",
    )

    def test_columns_that_take_json_as_it_is_written_are_named_but_for_the_key(self) -> None:
        forms = self.TARGET.column_forms({"numeric": "number"})
        assert forms == ColumnForms((("n", "numeric", "number"),))

    def test_records_that_are_looked_at_one_by_one_are_read_so(self) -> None:
        assert replace(self.TARGET, whole_payload=True).column_forms({}) is None
        assert replace(self.TARGET, ordered=True).column_forms({}) is None
