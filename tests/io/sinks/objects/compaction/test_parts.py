from __future__ import annotations

import sqlalchemy as sa

from sinks.database.tables import objects
from sinks.objects.compaction import parts
from sinks.objects.compaction.parts import Place
from sinks.objects.compaction.plan import Part
from tests.io.sinks.objects.filled_lake import FilledLake

ROW = [{"n": 1}]


def test_small_settled_objects_are_listed_by_folder_and_pipeline(lake: FilledLake) -> None:
    first = lake.settle("t/dt=1/a.parquet", ROW)
    second = lake.settle("t/dt=1/b.parquet", ROW)
    elsewhere = lake.settle("t/dt=2/a.parquet", ROW)
    of_another = lake.settle("t/dt=1/c.parquet", ROW, pipeline="q")
    lake.settle("t/dt=1/gone.parquet", ROW, state="replaced")
    lake.settle("t/dt=1/large.parquet", ROW, bytes=500)
    lake.settle("t/dt=1/foreign.parquet", ROW, sink="file:///elsewhere")
    lake.update(first, bytes=499)
    for number in (second, elsewhere, of_another):
        lake.update(number, bytes=0)
    places = parts.small(lake.database, lake.sink, None, 1_000)
    assert {place: list(numbers) for place, numbers in places.items()} == {
        Place(lake.target("t"), "p", "t/dt=1"): [first, second],
        Place(lake.target("t"), "p", "t/dt=2"): [elsewhere],
        Place(lake.target("t"), "q", "t/dt=1"): [of_another],
    }


def test_one_dataset_may_be_named(lake: FilledLake) -> None:
    lake.settle("t/a.parquet", ROW)
    lake.settle("u/a.parquet", ROW)
    places = parts.small(lake.database, lake.sink, lake.target("u"), 10**9)
    assert [place.folder for place in places] == ["u"]


def test_objects_are_loaded_as_they_were_entered(lake: FilledLake) -> None:
    number = lake.settle("t/a.parquet", ROW, start=7, partition="3", bytes=99, etag="e")
    (part,) = parts.load(lake.database, [number, number + 1])
    assert part == Part(number, lake.target("t"), "p", "t/a.parquet", "s", "3", 7, 8, 1, 99, "e")


def test_all_objects_are_loaded_however_many_there_are(lake: FilledLake) -> None:
    number = lake.settle("t/a.parquet", ROW)
    wanted = [0] * parts.CHUNK * 2 + [number]
    assert [part.id for part in parts.load(lake.database, wanted)] == [number]


def test_any_objects_can_be_chosen(lake: FilledLake) -> None:
    lake.settle("t/a.parquet", ROW)
    gone = lake.settle("a.parquet", ROW, state="orphan", target="x")
    places = parts.by_place(lake.database, lake.sink, objects.c.state == "orphan")
    assert {place: list(numbers) for place, numbers in places.items()} == {
        Place("x", "p", ""): [gone]
    }
    assert parts.by_place(lake.database, lake.sink, sa.false()) == {}
