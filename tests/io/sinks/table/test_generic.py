"""What only portable SQL does: it asks which keys are there, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import sinks.sql
import sinks.targets
from sinks.database.engine import dispose_engines, engine_of, transaction
from sinks.sql import SqlSink
from sinks.table.generic import CHUNK, GenericWriter
from tests.io.sinks.portable_dialect import SCHEME
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.route.table_name import TableName


@pytest.fixture
def generic(tmp_path: Path) -> Iterator[Database]:
    yield Database("generic", f"{SCHEME}:///{tmp_path}/test.db")
    dispose_engines()


@pytest.mark.parametrize("key", [["id"], ["id", "name"]])
def test_existing_keys_are_found_beyond_one_query(generic: Database, key: list[str]) -> None:
    generic.run(f"CREATE TABLE events (id integer, name text, PRIMARY KEY ({', '.join(key)}))")
    sink = generic.sink(key=key)
    values = [{"id": i, "name": "a"} for i in range(CHUNK + 50)]
    sink.commit([make_batch(values[CHUNK - 5 :])])
    (settled,) = sink.commit([make_batch(values, source="other")])
    assert counts(settled) == {
        "read": CHUNK + 50,
        "inserted": CHUNK - 5,
        "duplicates": 55,
    }


def test_null_in_a_json_column_is_null_and_not_the_json_text(generic: Database) -> None:
    generic.run("CREATE TABLE events (id integer PRIMARY KEY, doc json)")
    generic.sink(key=["id"]).commit([make_batch([{"id": 1, "doc": None}, {"id": 2, "doc": [1]}])])
    assert generic.rows("SELECT id FROM events WHERE doc IS NULL") == [(1,)]


def test_a_row_that_is_compared_is_there_until_the_commit(postgres: Database) -> None:
    """Another writer must not make it newer in between, however the driver is called."""
    postgres.run(
        "CREATE TABLE events (id integer PRIMARY KEY, at timestamptz)",
        "INSERT INTO events VALUES (1, '2026-01-02T00:00:00Z')",
    )
    sink = postgres.sink(key=["id"], on_conflict="newest:at")
    asked: list[str] = []
    engine = engine_of(sink.config.database)
    sa.event.listen(engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))
    batch = make_batch([{"id": 1, "at": "2026-01-01T00:00:00Z"}])
    with pytest.MonkeyPatch.context() as patch:
        for user in (sinks.sql, sinks.targets):
            patch.setattr(user, "writer_of", lambda _connection: GenericWriter())
        (settled,) = SqlSink(sink.config).commit([batch])
    assert counts(settled) == {"read": 1, "duplicates": 1}
    assert [text for text in asked if "FROM events" in text and "FOR UPDATE" in text]


def test_whole_numbers_have_one_spelling_and_texts_may_have_several(generic: Database) -> None:
    generic.run("CREATE TABLE events (id bigint PRIMARY KEY, name text)")
    with transaction(generic.database, "describe", write=False) as connection:
        description = GenericWriter().describe(connection, TableName.parse("events"))
    assert description is not None
    assert [column.one_spelling for column in description.columns] == [True, False]
