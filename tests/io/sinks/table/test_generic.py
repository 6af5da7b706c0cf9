"""What only portable SQL does: it asks which keys are there, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.database.engine import dispose_engines
from sinks.table.generic import CHUNK
from tests.io.sinks.tested_database import Database, counts, make_batch


@pytest.fixture
def generic(tmp_path: Path) -> Iterator[Database]:
    yield Database("generic", f"sqlite:///{tmp_path}/test.db")
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
