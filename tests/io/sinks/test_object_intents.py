"""Intents that nobody can settle any more are given up, also by a process that has nothing to write."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from sinks import object_shares
from sinks.database.backends.postgres import Postgres
from sinks.database.engine import transaction
from sinks.entries import Overlap
from sinks.object_intents import LOOKS
from sinks.object_shares import ObjectShares, written_objects
from sinks.objects import intents
from sinks.objects.cutting import Intent, ObjectId
from sinks.sql import SqlSink
from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.record import RecordBatch

OLD = "UPDATE ingest_intents SET updated_at = '2026-01-01 00:00:00'"


@pytest.fixture
def lake(database: Database, tmp_path: Path) -> Lake:
    """With each kind of database as its state."""
    LOOKS.clear()
    return Lake(database, tmp_path / "lake")


def batch(start: int, end: int) -> RecordBatch:
    return make_batch([{"id": n, "type": "a"} for n in range(start, end)], start)


def in_mid_commit(sink: SqlSink, *batches: RecordBatch) -> ObjectShares:
    """Do what a commit does before its transaction."""
    assert sink.objects is not None
    return written_objects(sink.objects, sink.config, "", batches)


def enter(lake: Lake, source: str, partition: str, end: int) -> None:
    """Enter an intent of a process that has ended since, and whose object nobody has written."""
    name = ObjectId(lake.config().url, "events", f"events/{partition}.parquet")
    label = lake.config().label
    intent = Intent(label, source, partition, 0, end, "0" * 12, objects=(name,))
    with transaction(lake.database.database, "test") as connection:
        intents.enter(connection, [intent])


def test_a_range_that_is_settled_without_objects_ends_the_intents_that_touch_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = lake.sink()
    shares = in_mid_commit(stopped, batch(0, 3))
    in_mid_commit(lake.sink(), batch(7, 9))
    lake.sink().commit([make_batch([], filtered=2)])
    assert lake.intents() == [(7, 9, 1)], "only what touches the range"
    assert lake.states() == ["orphan"]
    with monkeypatch.context() as patch:
        patch.setattr(object_shares, "written_objects", lambda *_: shares)
        with pytest.raises(Overlap):
            stopped._commit([batch(0, 3)], isolate=False, look_again=False)
    (settled,) = stopped.commit([batch(0, 3)])
    stopped.finish()
    assert (settled.trimmed, lake.ids()) == (2, [2])


@pytest.mark.integration
def test_what_another_writer_settles_while_this_one_waits_for_its_lock_gets_no_intent(
    postgres: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(postgres, tmp_path / "lake")
    one, other = lake.sink(), lake.sink()
    lock = Postgres.lock

    def late(self: Postgres, connection: sa.Connection, names: list[tuple[str, ...]]) -> None:
        monkeypatch.setattr(Postgres, "lock", lock)
        other.commit([batch(0, 3)])
        lock(self, connection, names)

    monkeypatch.setattr(Postgres, "lock", late)
    (settled,) = one.commit([batch(0, 3)])
    one.finish()
    assert (settled.trimmed, lake.ids()) == (3, [0, 1, 2])
    assert (lake.intents(), lake.states()) == ([], ["settled"])
    assert len(lake.listed()) == 1, "nothing is written in vain"


def test_an_idle_process_gives_up_what_is_over(lake: Lake) -> None:
    idle, writer = lake.sink(), lake.sink()
    writer.commit([batch(0, 3)])
    enter(lake, "", "0" * 32, 0)  # of jobs whose claim is gone
    enter(lake, "file:///a", "p", 5)  # of a range whose beginning is settled
    enter(lake, "file:///a", "q", 5)  # of a range that nobody has settled
    lake.database.run(OLD)
    idle.finish()
    assert lake.database.rows("SELECT partition FROM ingest_intents") == [("q",)]
    assert sorted(lake.states()) == ["orphan", "orphan", "settled"]


def test_what_is_young_is_left_to_its_writer(lake: Lake) -> None:
    sink = lake.sink()
    enter(lake, "", "0" * 32, 0)
    sink.finish()
    assert lake.intents() == [(0, 0, 1)]


def test_a_process_looks_now_and_then(lake: Lake) -> None:
    sink = lake.sink()
    sink.finish()
    enter(lake, "", "0" * 32, 0)
    lake.database.run(OLD)
    sink.finish()
    assert lake.intents() == [(0, 0, 1)]
    LOOKS.clear()
    sink.finish()
    assert lake.intents() == []
