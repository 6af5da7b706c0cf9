"""Only a table that this program made takes whole records; a user's has a column named payload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sinks.database.engine import dispose_engines
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, counts, make_batch

FIRST = {"id": "1", "payload": {"a": 1}}
OTHER = {"id": "2", "other": 5}


def commit(
    database: Database, record: dict[str, Any], start: int, **options: Any
) -> dict[str, int]:
    """Write one record as a new run of a new process does."""
    dispose_engines()
    sink = database.sink(key=["id"], **options)
    # A second one, which looks at its table within its transaction, as on another worker.
    worker = SqlSink(database.config(key=["id"], statement_timeout=121, **options))
    (first,) = sink.commit([make_batch([record], start=start)])
    worker.commit([make_batch([record], start=start)])
    return counts(first)


def payloads(database: Database, table: str = "events") -> dict[str, Any]:
    rows = database.rows(f"SELECT id, payload FROM {table}")
    return {str(id_): json.loads(p) if isinstance(p, str) else p for id_, p in rows}


def made_by_an_earlier_version(database: Database) -> None:
    """Earlier versions did not say what they had made."""
    database.run("DROP TABLE ingest_targets")


def json_type(database: Database) -> str:
    return "jsonb" if database.kind == "postgres" else "JSON"


@pytest.mark.parametrize("key", ["integer PRIMARY KEY", "varchar(9) NOT NULL PRIMARY KEY"])
def test_a_users_table_of_key_and_payload_is_reflected_at_every_run(
    database: Database, key: str
) -> None:
    database.run(f"CREATE TABLE events (id {key}, payload {json_type(database)})")
    assert commit(database, FIRST, 0) == {"read": 1, "inserted": 1}
    assert commit(database, OTHER, 1) == {"read": 1, "dead": 1}
    assert commit(database, {"id": "3", "payload": [1]}, 2) == {"read": 1, "inserted": 1}
    assert payloads(database) == {"1": {"a": 1}, "3": [1]}


def test_even_one_that_looks_exactly_like_ours(database: Database) -> None:
    database.sink("ours", key=["id"])
    text = "text" if database.kind == "postgres" else "TEXT"
    text = "VARCHAR(255)" if database.kind in ("generic", "mariadb") else text
    database.run(
        f'CREATE TABLE "events" ("id" {text} NOT NULL, "payload" {json_type(database)} NOT NULL, '
        'PRIMARY KEY ("id"))'
    )
    assert commit(database, FIRST, 0) == {"read": 1, "inserted": 1}
    assert commit(database, OTHER, 1) == {"read": 1, "dead": 1}
    assert payloads(database) == {"1": {"a": 1}}


def test_a_table_that_was_made_here_takes_whole_records_at_every_run(database: Database) -> None:
    assert commit(database, FIRST, 0) == {"read": 1, "inserted": 1}
    assert commit(database, OTHER, 1) == {"read": 1, "inserted": 1}
    assert payloads(database) == {"1": FIRST, "2": OTHER}


def test_a_table_that_an_earlier_version_wrote_to_goes_on_as_it_was(database: Database) -> None:
    commit(database, FIRST, 0)
    made_by_an_earlier_version(database)
    assert commit(database, OTHER, 1) == {"read": 1, "inserted": 1}
    assert commit(database, {"id": "3", "x": None}, 2) == {"read": 1, "inserted": 1}
    assert payloads(database) == {"1": FIRST, "2": OTHER, "3": {"id": "3", "x": None}}


def test_a_users_table_that_an_earlier_version_wrote_to_goes_on_as_it_was(
    database: Database,
) -> None:
    commit(database, FIRST, 0)
    made_by_an_earlier_version(database)
    database.run(
        "DROP TABLE events",
        f"CREATE TABLE events (id integer PRIMARY KEY, payload {json_type(database)})",
    )
    assert commit(database, {"id": 2, "other": 5}, 1) == {"read": 1, "inserted": 1}
    assert commit(database, {"id": 3, "other": 5}, 2) == {"read": 1, "inserted": 1}
    assert payloads(database) == {"2": {"id": 2, "other": 5}, "3": {"id": 3, "other": 5}}


def test_a_users_table_in_the_place_of_one_that_was_made_here_is_reflected(
    database: Database,
) -> None:
    commit(database, FIRST, 0)
    database.run(
        "DROP TABLE events",
        f"CREATE TABLE events (id integer PRIMARY KEY, payload {json_type(database)})",
    )
    assert commit(database, {"id": 2, "payload": {"b": 2}}, 1) == {"read": 1, "inserted": 1}
    assert commit(database, OTHER, 2) == {"read": 1, "dead": 1}
    assert payloads(database) == {"2": {"b": 2}}


def test_a_table_that_is_made_again_takes_whole_records(database: Database) -> None:
    database.run(f"CREATE TABLE events (id integer PRIMARY KEY, payload {json_type(database)})")
    commit(database, FIRST, 0)
    database.run("DROP TABLE events")
    assert commit(database, OTHER, 1) == {"read": 1, "inserted": 1}
    assert payloads(database) == {"2": OTHER}


def test_a_table_made_of_a_schema_with_a_payload_is_reflected(database: Database) -> None:
    schema = json.dumps({"properties": {"id": {"type": "string"}, "payload": {"type": "object"}}})
    assert commit(database, FIRST, 0, schema=schema) == {"read": 1, "inserted": 1}
    assert commit(database, OTHER, 1, schema=schema) == {"read": 1, "dead": 1}
    assert payloads(database) == {"1": {"a": 1}}


def test_unknown_fields_are_laid_into_a_users_payload_where_that_is_asked_for(
    database: Database,
) -> None:
    database.run(f"CREATE TABLE events (id integer PRIMARY KEY, payload {json_type(database)})")
    options: dict[str, Any] = {"unknown_fields": "payload"}
    assert commit(database, {**FIRST, "other": 5}, 0, **options) == {"read": 1, "inserted": 1}
    assert commit(database, OTHER, 1, **options) == {"read": 1, "inserted": 1}
    assert payloads(database) == {"1": {"a": 1, "other": 5}, "2": {"other": 5}}
