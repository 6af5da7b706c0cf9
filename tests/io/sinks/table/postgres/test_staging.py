"""The staging table has no constraints, and what it leaves does not disturb the next commit."""

from __future__ import annotations

import pytest

from tests.io.sinks.tested_database import Database, counts, make_batch


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


MODES = ("ignore", "update", "newest:n")


def test_a_commit_of_known_and_new_keys_is_counted_by_its_batches(postgres: Database) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, n integer)")
    postgres.run("INSERT INTO events VALUES (1, 1), (2, 1), (3, 1)")
    batches = [
        make_batch([{"id": i, "n": 2} for i in ids], source=f"of {ids}")
        for ids in ([1, 7], [], [2, 3], [8, 9, 10])
    ]
    settled = postgres.sink(key=["id"]).commit(batches)
    assert [counts(each) for each in settled] == [
        {"read": 2, "inserted": 1, "duplicates": 1},
        {},
        {"read": 2, "duplicates": 2},
        {"read": 3, "inserted": 3},
    ]
    assert postgres.rows("SELECT id FROM events WHERE n = 2 ORDER BY id") == [
        (7,),
        (8,),
        (9,),
        (10,),
    ]


@pytest.mark.parametrize("mode", MODES)
def test_a_refused_row_among_known_keys_is_dead_alone_and_others_are_written_once(
    postgres: Database, mode: str
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, n integer CHECK (n < 50))")
    postgres.run("INSERT INTO events SELECT i, 0 FROM generate_series(0, 99, 2) i")
    values = [{"id": i, "n": 50 if i in (4, 5) else 7} for i in range(100)]
    (settled,) = postgres.sink(key=["id"], on_conflict=mode).commit([make_batch(values)])
    changed = {"duplicates": 49} if mode == "ignore" else {"updated": 49}
    assert counts(settled) == {"read": 100, "inserted": 49, "dead": 2, **changed}
    sevens = 49 if mode == "ignore" else 98
    assert postgres.rows("SELECT count(*), count(*) FILTER (WHERE n = 7) FROM events") == [
        (99, sevens)
    ]


def test_a_key_that_comes_again_is_written_after_its_first_row_was_refused(
    postgres: Database,
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, n integer CHECK (n < 50))")
    postgres.run("INSERT INTO events VALUES (1, 0)")
    values = [{"id": 1, "n": 1}, {"id": 2, "n": 99}, {"id": 3, "n": 1}, {"id": 2, "n": 2}]
    (settled,) = postgres.sink(key=["id"]).commit([make_batch(values)])
    assert counts(settled) == {"read": 4, "inserted": 2, "dead": 1, "duplicates": 1}
    assert postgres.rows("SELECT id, n FROM events ORDER BY id") == [(1, 0), (2, 2), (3, 1)]


def test_new_rows_among_known_keys_are_written_in_their_order(postgres: Database) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, place serial)")
    postgres.run("INSERT INTO events VALUES (50)")
    ids = [50, 9, 70, 3, 20]
    postgres.sink(key=["id"]).commit([make_batch([{"id": i} for i in ids])])
    assert postgres.rows("SELECT id FROM events WHERE id <> 50 ORDER BY place") == [
        (9,),
        (70,),
        (3,),
        (20,),
    ]
