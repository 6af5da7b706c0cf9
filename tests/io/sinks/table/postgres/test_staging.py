"""The staging table has no constraints, and what it leaves does not disturb the next commit."""

from __future__ import annotations

from sinks.table.postgres.lines import Lines
from sinks.table.postgres.staging import StagedBlock
from sinks.text.copy_text import copy_data
from tests.io.sinks.tested_database import Database, counts, make_batch


def test_a_block_numbers_the_rows_that_copy_took() -> None:
    texts = ["a", "b", "c"]
    block = StagedBlock(Lines(("v",), texts, [4, 7, 9], copy_data(texts)), start=20, refused={1})
    assert (block.end, block.numbers()) == (23, {4: 20, 9: 22})


def test_many_statements_in_a_commit_index_the_staging_table_for_that_commit_alone(
    postgres: Database,
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, n integer UNIQUE)")
    sink = postgres.sink(key=["id"], on_conflict="update")
    # An entangled table is written in order: each repeat of a key begins another statement.
    values = [{"id": 1, "n": i} for i in range(30)]
    for source in ("one", "two"):
        sink.commit([make_batch(values, source=source)])
    assert postgres.rows("SELECT id, n FROM events") == [(1, 29)]
    indexes = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'i'"
    assert postgres.rows(indexes) == [(0,)]
    (settled,) = sink.commit([make_batch([{"id": 2, "n": 50}], source="three")])
    assert counts(settled) == {"read": 1, "inserted": 1}
