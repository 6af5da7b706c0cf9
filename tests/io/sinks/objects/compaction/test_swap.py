from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.tables import objects
from sinks.objects.compaction import parts
from sinks.objects.compaction.plan import Part
from sinks.objects.compaction.swap import Superseded, reserve, swap
from tests.io.sinks.objects.filled_lake import BY, FilledLake

WRITTEN = (3, 77, "etag")


@pytest.fixture
def group(lake: FilledLake) -> list[Part]:
    numbers = [
        lake.settle("t/a.parquet", [{"n": 1}], start=0),
        lake.settle("t/b.parquet", [{"n": 2}, {"n": 3}], start=1),
    ]
    return parts.load(lake.database, numbers)


def test_a_name_is_known_before_it_is_written(lake: FilledLake, group: list[Part]) -> None:
    reserve(lake.database, lake.sink, group, "t/c.parquet")
    assert lake.states() == {
        "t/a.parquet": "settled",
        "t/b.parquet": "settled",
        "t/c.parquet": "orphan",
    }


def test_one_object_takes_the_place_of_the_others(lake: FilledLake, group: list[Part]) -> None:
    number = reserve(lake.database, lake.sink, group, "t/c.parquet")
    new = swap(lake.database, number, WRITTEN, group, BY)
    assert new == Part(number, lake.target("t"), "p", "t/c.parquet", "s", "0", 0, 3, *WRITTEN)
    assert parts.load(lake.database, [number]) == [new]
    assert lake.states() == {
        "t/a.parquet": "replaced",
        "t/b.parquet": "replaced",
        "t/c.parquet": "settled",
    }
    with transaction(lake.database, "look", write=False) as connection:
        assert connection.scalars(objects.select().with_only_columns(objects.c.pending)).all() == (
            [True] * 3
        ), "the manifest is to say so"


def test_the_audit_trail_says_who_and_how_many(lake: FilledLake, group: list[Part]) -> None:
    number = reserve(lake.database, lake.sink, group, "t/c.parquet")
    swap(lake.database, number, WRITTEN, group, BY)
    assert lake.trail() == [("compact", "ada", "because", 2)]


def test_of_several_partitions_no_range_is_said(lake: FilledLake, group: list[Part]) -> None:
    other = lake.settle("t/d.parquet", [{"n": 4}], partition="1", start=100)
    group = [*group, *parts.load(lake.database, [other])]
    number = reserve(lake.database, lake.sink, group, "t/c.parquet")
    new = swap(lake.database, number, WRITTEN, group, BY)
    assert (new.source, new.partition, new.start, new.end) == ("", "", 0, 0)


def test_only_one_of_two_replaces_an_object(lake: FilledLake, group: list[Part]) -> None:
    numbers = [reserve(lake.database, lake.sink, group, f"t/{n}.parquet") for n in range(2)]
    swap(lake.database, numbers[0], WRITTEN, group, BY)
    before = lake.states()
    with pytest.raises(Superseded):
        swap(lake.database, numbers[1], WRITTEN, group, BY)
    assert lake.states() == before
    assert len(lake.trail()) == 1


def test_what_is_being_swept_is_not_settled(lake: FilledLake, group: list[Part]) -> None:
    number = reserve(lake.database, lake.sink, group, "t/c.parquet")
    with transaction(lake.database, "sweep") as connection:
        connection.execute(objects.update().values(deleted_at=objects.c.created_at))
    before = lake.states()
    with pytest.raises(Superseded):
        swap(lake.database, number, WRITTEN, group, BY)
    assert lake.states() == before
