"""Tables, indexes and keys that are missing or broken are told, with what repairs them."""

from __future__ import annotations

import pytest

from sinks.doctor import indexes
from sinks.doctor.scope import Question
from sinks.table.target import Column, Description
from tests.io.sinks.doctor.examined import last_run, said, wrong
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

ID = (Column("id", "text"), Column("n", "int"))


def test_what_is_whole_is_fine(database: Database) -> None:
    begun(database, options={"key": "id"})
    assert [item.level for item in said(database, indexes.check)] == ["ok"]


@pytest.mark.parametrize(
    ("table", "index"),
    [("ingest_queue", "ingest_queue_next"), ("ingest_outbox", "ingest_outbox_unpublished")],
)
def test_a_missing_index_is_told_and_made_by_what_is_said(
    database: Database, table: str, index: str
) -> None:
    database.sink(key=["id"])
    of_table = f" ON {table}" if database.kind == "mariadb" else ""
    database.run(f"DROP INDEX {index}{of_table}")
    (item,) = wrong(database, indexes.check)
    assert (item.level, index in item.what) == ("error", True)
    database.run(item.todo.removeprefix("run: "))
    assert wrong(database, indexes.check) == []


def test_a_missing_table_is_told(database: Database) -> None:
    database.sink(key=["id"])
    database.run("DROP TABLE ingest_submissions")
    (item,) = wrong(database, indexes.check)
    assert (item.level, item.where) == ("error", "ingest_submissions")


def test_an_index_whose_build_failed_is_told(postgres: Database) -> None:
    postgres.sink(key=["id"])
    postgres.run(
        "CREATE INDEX half ON events (id)",
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass",
    )
    (item,) = wrong(postgres, indexes.check)
    assert (item.level, item.where) == ("error", "events")
    assert "REINDEX" in item.todo


def test_a_missing_primary_key_is_told(postgres: Database) -> None:
    postgres.sink(key=["id"])
    postgres.run("ALTER TABLE ingest_progress DROP CONSTRAINT ingest_progress_pkey")
    (item,) = wrong(postgres, indexes.check)
    assert (item.level, item.where) == ("error", "ingest_progress")
    postgres.run(item.todo.removeprefix("run: "))
    assert wrong(postgres, indexes.check) == []


def test_a_target_without_a_unique_key_is_told(database: Database) -> None:
    begun(database, options={"key": "id"})
    database.run("DROP TABLE events", "CREATE TABLE events (id text, payload text)")
    (item,) = wrong(database, indexes.check)
    assert (item.level, item.where) == ("error", "events")
    database.run(item.todo.removeprefix("run: "))
    assert wrong(database, indexes.check) == []
    database.run("DROP TABLE events")
    (item,) = wrong(database, indexes.check)
    assert (item.level, "gone" in item.what) == ("warning", True)


def test_a_view_in_the_place_of_a_target_is_told(database: Database) -> None:
    begun(database, options={"key": "id"})
    database.run("ALTER TABLE events RENAME TO moved", "CREATE VIEW events AS SELECT * FROM moved")
    (item,) = wrong(database, indexes.check)
    assert item.what == "it is a view, and a view has no unique key"
    table = ", moved" if database.kind == "postgres" else ""
    assert item.todo == f"write into its table{table}"


def test_another_pipelines_tables_are_not_looked_at(database: Database) -> None:
    begun(database, "1", options={"key": "id"})
    begun(database, "2", "other", options={"key": "id"})
    database.run("DROP TABLE events")
    assert wrong(database, indexes.check, Question("other")) == []
    assert len(wrong(database, indexes.check)) == 1


def test_without_a_run_any_unique_key_will_do() -> None:
    by_n = Description(ID, (frozenset({"n"}),))
    assert indexes.key("t", by_n, None) is None
    assert indexes.key("t", Description(ID, ()), None) is not None
    assert indexes.key("t", by_n, last_run(options={"key": "n"})) is None
    assert indexes.key("t", by_n, last_run(options={"key": "id,n"})) is not None


def test_without_a_key_the_origin_is_the_key() -> None:
    origin = Description(ID, (frozenset({"ingest_source", "ingest_partition", "ingest_offset"}),))
    assert indexes.key("t", origin, last_run()) is None
    assert indexes.key("t", Description(ID, (frozenset({"id"}),)), last_run()) is not None
