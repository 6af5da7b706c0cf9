"""Each table of a pipeline with routes changes with its own records."""

from __future__ import annotations

import json
from typing import Any

from tests.io.sinks.evolution.test_demand import columns, entries
from tests.io.sinks.routed import Steps, batch_of, keyed, sink_of, tables_of
from tests.io.sinks.tested_database import Database, counts
from transforms.route.route import Route


def batch(*records: Any, start: int = 0) -> Any:
    return Steps().applied(batch_of(*records, start=start))


def test_each_table_gets_the_columns_of_its_own_records(database: Database) -> None:
    declared = "(id integer PRIMARY KEY, n integer)"
    database.run(f"CREATE TABLE orders {declared}", f"CREATE TABLE users {declared}")
    sink = sink_of(database, *keyed("orders", "users"), evolve="add", schema_wait=60.0)
    mixed = batch(
        {"id": 1, "size": 2, "to": ["orders"]},
        {"id": 2, "email": "a", "to": ["users"]},
        {"id": 3, "both": True, "to": ["orders", "users"]},
        {"id": 4, "ID": 4, "to": ["users"]},
    )
    (settled,) = sink.commit([mixed])
    assert counts(settled) == {"read": 4, "expanded": 1, "inserted": 4, "retry": 1}
    assert list(columns(database, "orders")) == ["id", "n", "size", "both"]
    assert list(columns(database, "users")) == ["id", "n", "email", "both"]
    assert database.rows("SELECT id, size FROM orders ORDER BY id") == [(1, 2), (3, None)]
    assert database.rows("SELECT id, email FROM users ORDER BY id") == [(2, "a"), (3, None)]
    # The record waits for its own table.
    assert database.rows("SELECT target, category FROM ingest_jobs") == [("users", "schema_change")]
    users = tables_of(database)["users"]
    assert users == {"read": 2, "expanded": 1, "inserted": 2, "retrying": 1}
    which = [json.loads(w) if isinstance(w, str) else w for _, _, w, _ in entries(database)]
    assert [(each["table"], each["columns"], each["first"]) for each in which] == [
        ("orders", ["size", "both"], "file:///a p:0"),
        ("users", ["email", "both"], "file:///a p:1"),
    ]


def test_tables_that_records_name_change_too(database: Database) -> None:
    schema = {"properties": {"id": {"type": "integer"}, "at": {"type": "string"}}}
    named = Route("${type}", name="any", key=("id",), pattern="t_.*", schema=json.dumps(schema))
    sink = sink_of(database, named, evolve="add", schema_wait=60.0)
    (settled,) = sink.commit(
        [batch({"id": 1, "a": 1, "to": ["t_one"]}, {"id": 1, "b": 1, "to": ["t_two"]})]
    )
    assert counts(settled) == {"read": 2, "inserted": 2}
    sink.commit([batch({"id": 2, "c": "x", "to": ["t_two"]}, start=2)])
    assert list(columns(database, "t_one")) == ["id", "at", "a"]
    assert list(columns(database, "t_two")) == ["id", "at", "b", "c"]
    assert database.rows("SELECT id, b, c FROM t_two ORDER BY id") == [(1, 1, None), (2, None, "x")]


def test_a_table_of_a_route_whose_deletes_are_written_changes(postgres: Database) -> None:
    postgres.run("CREATE TABLE orders (id integer PRIMARY KEY, n smallint)")
    ordered = Route("orders", key=("id",), on_conflict="newest:@position")
    sink = sink_of(postgres, ordered, evolve="widen", schema_wait=60.0, on_delete="delete")
    rows = [{"id": id_, "n": 2**20, "size": 0.5, "to": ["orders"]} for id_ in (1, 2)]
    sink.commit([batch(*rows)])
    assert postgres.rows("SELECT n, size::text FROM orders") == [(2**20, "0.5")] * 2
