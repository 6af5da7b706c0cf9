from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.tables import manifests
from sinks.objects.checks.accounts import sinks, state_of
from tests.io.sinks.objects.filled_lake import FilledLake


def test_the_rows_of_objects_stand_beside_what_the_ledger_counts(lake: FilledLake) -> None:
    lake.settle("t/a.jsonl.gz", [{"n": 1}, {"n": 2}], bytes=40)
    lake.settle("t/b.jsonl.gz", [{"n": 3}], start=2, bytes=30)
    lake.settle("u/a.jsonl.gz", [{"n": 4}], pipeline="q", bytes=20)
    lake.settle("t/gone.jsonl.gz", [{"n": 5}], state="replaced")
    datasets = state_of(lake.database, lake.sink).datasets
    assert [
        (each.pipeline, each.target, each.objects, each.rows, each.bytes, each.inserted)
        for each in datasets
    ] == [("p", lake.target("t"), 2, 3, 70, 3), ("q", lake.target("u"), 1, 1, 20, 1)]
    assert all(each.ok for each in datasets)


def test_an_object_that_the_state_lost_is_seen(lake: FilledLake) -> None:
    lake.settle("t/a.jsonl.gz", [{"n": 1}])
    lake.update(state="orphan")
    (dataset,) = state_of(lake.database, lake.sink).datasets
    assert (dataset.rows, dataset.inserted, dataset.ok) == (0, 1, False)


def test_an_object_that_nothing_counts_is_seen(lake: FilledLake) -> None:
    lake.settle("t/a.jsonl.gz", [{"n": 1}])
    lake.update(rows=2)
    (dataset,) = state_of(lake.database, lake.sink).datasets
    assert (dataset.rows, dataset.inserted, dataset.ok) == (2, 1, False)


def test_open_intents_are_listed_with_their_age(lake: FilledLake) -> None:
    lake.intend("0123456789ab", "t/a.parquet", "t/b.parquet", start=5)
    (intent,) = state_of(lake.database, lake.sink).intents
    assert (intent.pipeline, intent.source, intent.partition) == ("p", "s", "0")
    assert (intent.start, intent.end, intent.fence, intent.objects) == (5, 15, 1, 2)
    assert timedelta(0) <= intent.age < timedelta(minutes=1)
    assert state_of(lake.database, "file:///elsewhere").intents == ()


def test_what_waits_is_counted(lake: FilledLake) -> None:
    lake.settle("t/a.parquet", [{"n": 1}], pending=True)
    for number in range(2):
        lake.settle(f"t/r{number}.parquet", [{"n": 1}], state="replaced")
    lake.settle("t/o.parquet", [{"n": 1}], state="orphan")
    state = state_of(lake.database, lake.sink)
    assert (state.pending, state.replaced, state.orphans) == (1, 2, 1)


def test_a_sink_within_another_is_judged_by_itself(lake: FilledLake) -> None:
    lake.settle("t/a.jsonl.gz", [{"n": 1}])
    inner = lake.target("t")
    with transaction(lake.database, "enter") as connection:
        row = connection.execute(sa.select(manifests)).one()._asdict()
        connection.execute(sa.insert(manifests).values({**row, "sink": inner}))
    assert state_of(lake.database, lake.sink).datasets == ()
    assert sinks(lake.database) == [lake.sink, inner]


def test_a_database_without_objects_has_no_sinks(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    migrate.prepare(database)
    assert sinks(database) == []
