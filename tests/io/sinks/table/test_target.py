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

    @pytest.mark.parametrize("name", ["Orders", "Order Lines"])
    def test_what_it_says_to_run_makes_the_key_unique(self, database: Database, name: str) -> None:
        database.run(
            f'CREATE TABLE "{name}" ("Id" integer, a text)',
            *(["CREATE TABLE orders (a text)"] if database.kind == "postgres" else ()),
        )
        with pytest.raises(ConfigError) as refused:
            database.sink(f'"{name}"', key=["Id"])
        database.run(str(refused.value).partition("run: ")[2])
        (settled,) = database.sink(f'"{name}"', key=["Id"]).commit([make_batch([{"Id": 1}])])
        assert counts(settled) == {"read": 1, "inserted": 1}

    def test_of_a_view_no_constraint_is_asked(self, database: Database) -> None:
        database.run(TABLE, "CREATE VIEW seen_events AS SELECT id, name FROM events")
        with pytest.raises(ConfigError, match=r"^seen_events is a view, and a view has no") as no:
            database.sink("seen_events", key=["id"])
        table = ", events" if database.kind == "postgres" else ""
        assert str(no.value).endswith(f"; write into its table{table}")

    @pytest.mark.integration
    def test_of_a_view_over_several_tables_none_is_named(self, postgres: Database) -> None:
        postgres.run(
            TABLE,
            "CREATE TABLE more (id integer, size integer)",
            "CREATE VIEW wide AS SELECT e.id, m.size FROM events e JOIN more m ON m.id = e.id",
        )
        with pytest.raises(ConfigError, match=r"write into its table$"):
            postgres.sink("wide", key=["id"])

    @pytest.mark.integration
    def test_a_key_that_only_the_database_fills_is_refused(self, postgres: Database) -> None:
        column = "id integer GENERATED {} AS IDENTITY PRIMARY KEY"
        postgres.run(
            f"CREATE TABLE events ({column.format('ALWAYS')}, name text)",
            f"CREATE TABLE others ({column.format('BY DEFAULT')}, name text)",
        )
        with pytest.raises(
            ConfigError, match=r"^table events generates its key column id, so no record"
        ):
            postgres.sink(key=["id"])
        postgres.sink("others", key=["id"])

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
