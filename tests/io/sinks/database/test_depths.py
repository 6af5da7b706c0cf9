"""Tables lie as deep in the graph of foreign keys as the tables that they refer to demand."""

from __future__ import annotations

import pytest

from sinks.database.depths import depths_of
from sinks.database.engine import transaction
from sinks.writers import writer_of
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName


@pytest.mark.parametrize(
    ("references", "depths"),
    [
        ([], {}),
        ([("b", "a")], {"a": 0, "b": 1}),
        ([("c", "b"), ("b", "a"), ("c", "a")], {"a": 0, "b": 1, "c": 2}),
        ([("a", "a"), ("b", "a")], {"a": 0, "b": 1}),
        ([("a", "b"), ("b", "a"), ("a", "x"), ("z", "b")], {"x": 0, "a": 1, "b": 1, "z": 2}),
    ],
    ids=["nothing", "pair", "longest way", "itself", "circle"],
)
def test_each_is_deeper_than_what_it_refers_to(
    references: list[tuple[str, str]], depths: dict[str, int]
) -> None:
    assert depths_of(references) == depths
    assert depths_of(reversed(references)) == depths


def test_a_chain_of_thousands_needs_no_recursion() -> None:
    assert depths_of([(number + 1, number) for number in range(5_000)])[5_000] == 5_000


def test_a_database_tells_them_by_its_whole_catalogue(database: Database) -> None:
    database.run(
        "CREATE TABLE z (id integer PRIMARY KEY)",
        "CREATE TABLE middle (id integer PRIMARY KEY, z integer REFERENCES z (id))",
        "CREATE TABLE a (id integer PRIMARY KEY, b integer REFERENCES middle (id))",
        "CREATE TABLE lone (id integer PRIMARY KEY, lone integer REFERENCES lone (id))",
    )
    names = [TableName(name) for name in ("a", "lone", "z")]
    with transaction(database.database, "test", write=False) as connection:
        assert writer_of(connection).depths(connection, names) == [2, 0, 0]


def test_sqlite_tells_no_capitals_apart(sqlite_database: Database) -> None:
    sqlite_database.run(
        "CREATE TABLE Parent (id integer PRIMARY KEY)",
        "CREATE TABLE child (id integer PRIMARY KEY, parent integer REFERENCES PARENT)",
    )
    with transaction(sqlite_database.database, "test", write=False) as connection:
        names = [TableName("CHILD"), TableName("parent")]
        assert writer_of(connection).depths(connection, names) == [1, 0]


@pytest.mark.integration
def test_postgres_tells_tables_of_all_schemas_apart(postgres: Database) -> None:
    postgres.run(
        "CREATE SCHEMA app",
        "CREATE TABLE t (id integer PRIMARY KEY)",
        "CREATE TABLE app.t (id integer PRIMARY KEY, t integer REFERENCES public.t)",
    )
    names = [TableName("t", "app"), TableName("t"), TableName("t", "public")]
    with transaction(postgres.database, "test", write=False) as connection:
        assert writer_of(connection).depths(connection, names) == [1, 0, 0]
