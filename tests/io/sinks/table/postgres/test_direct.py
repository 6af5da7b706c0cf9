"""Direct COPY waits where keys are known: a sample tells at first, then the last commits."""

from __future__ import annotations

from typing import Any

import pytest

from sinks.table.config import OnConflict
from sinks.table.postgres import direct
from sinks.table.target import Target
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.route.table_name import TableName


def target_called(name: str) -> Target:
    return Target(
        table=TableName(name),
        label=name,
        columns=(),
        generated=frozenset(),
        key=("id",),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict(),
        unknown_fields="reject",
    )


def test_collisions_pause_it_for_twice_as_long_each_time() -> None:
    target = target_called("adaptive")
    tried = []
    for commit in range(1, 100):
        paused = direct.is_paused(target)
        direct.note(target, collided=None if paused else True)
        if not paused:
            tried.append(commit)
    assert tried == [1, 3, 6, 11, 20, 37, 70]
    while direct.is_paused(target):
        direct.note(target, collided=None)
    direct.note(target, collided=False)
    assert not direct.is_paused(target)
    direct.note(target, collided=True)
    direct.note(target, collided=None)
    assert not direct.is_paused(target)


def test_it_is_not_tried_as_long_as_commits_meet_known_keys() -> None:
    target = target_called("met")
    assert direct.is_in_doubt(target)
    for _ in range(200):
        direct.note(target, collided=True)
        assert direct.is_paused(target)
    assert not direct.is_in_doubt(target)
    direct.note(target, collided=None)
    assert not direct.is_paused(target)


def test_records_that_the_ledger_has_are_no_collision(postgres: Database) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
    sink = postgres.sink(key=["id"])
    values = [{"id": i} for i in range(20)]
    sink.commit([make_batch(values[:10])])
    sink.commit([make_batch(values[5:], 5)])
    staged = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
    assert postgres.rows(staged) == [(0,)]
    sink.commit([make_batch(values[:1], source="other")])
    assert postgres.rows(staged) == [(1,)]


HOLES = "SELECT max((ctid::text::point)[1])::int - count(*)::int FROM events"
"""How many rows of a table of one page have been undone."""


def test_a_first_commit_that_meets_known_keys_leaves_no_dead_rows(postgres: Database) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
    postgres.run("INSERT INTO events SELECT i FROM generate_series(1, 99, 2) i")
    (settled,) = postgres.sink(key=["id"]).commit([make_batch([{"id": i} for i in range(100)])])
    assert counts(settled) == {"read": 100, "inserted": 50, "duplicates": 50}
    assert postgres.rows(HOLES) == [(0,)]


def test_known_keys_of_later_commits_leave_no_dead_rows(postgres: Database) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, name text)")
    postgres.run("INSERT INTO events SELECT i FROM generate_series(1, 99, 2) i")
    sink = postgres.sink(key=["id"])
    for start in range(0, 100, 20):
        values = [{"id": i} for i in range(start, start + 20)]
        (settled,) = sink.commit([make_batch(values, source=f"from {start}")])
        assert counts(settled) == {"read": 20, "inserted": 10, "duplicates": 10}
    assert postgres.rows(HOLES) == [(0,)]


@pytest.mark.parametrize(
    ("columns", "key", "known"),
    [
        ("id uuid PRIMARY KEY", ["id"], {"id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}),
        ("id timestamptz PRIMARY KEY", ["id"], {"id": "2026-01-02T03:04:05Z"}),
        ("id varchar(9) PRIMARY KEY", ["id"], {"id": "it's %s"}),
        ("id integer[] PRIMARY KEY", ["id"], {"id": [1, 2]}),
        ('"a b" text, c bigint, PRIMARY KEY ("a b", c)', ["a b", "c"], {"a b": "x", "c": 2}),
    ],
)
def test_the_sample_asks_for_keys_of_any_type(
    postgres: Database, columns: str, key: list[str], known: dict[str, Any]
) -> None:
    postgres.run(f"CREATE TABLE events ({columns})")
    postgres.sink(key=key).commit([make_batch([known])])
    (settled,) = postgres.sink(key=key).commit([make_batch([known], source="other")])
    assert counts(settled) == {"read": 1, "duplicates": 1}


@pytest.mark.parametrize(
    ("columns", "known"),
    [
        ('"a%" integer PRIMARY KEY', {"a%": 1}),  # a name that looks like a placeholder
        ("id text PRIMARY KEY", {"id": "a\\b\tc"}),  # a text with escapes
    ],
)
def test_keys_that_cannot_be_asked_for_are_tried(
    postgres: Database, columns: str, known: dict[str, Any]
) -> None:
    postgres.run(f"CREATE TABLE events ({columns})")
    for source, state in (("one", "inserted"), ("two", "duplicates")):
        sink = postgres.sink(key=list(known))
        (settled,) = sink.commit([make_batch([known], source=source)])
        assert counts(settled) == {"read": 1, state: 1}
