"""Direct COPY is paused after collisions, for longer each time."""

from __future__ import annotations

from sinks.table.config import OnConflict
from sinks.table.postgres import direct
from sinks.table.target import Target
from tests.io.sinks.tested_database import Database, make_batch
from transforms.route.table_name import TableName


def test_collisions_pause_it_for_twice_as_long_each_time() -> None:
    target = Target(
        table=TableName("adaptive"),
        label="adaptive",
        columns=(),
        generated=frozenset(),
        key=("id",),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict(),
        unknown_fields="reject",
    )
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
