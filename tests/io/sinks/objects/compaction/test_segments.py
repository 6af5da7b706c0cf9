from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sinks.objects import manifest
from sinks.objects.compaction import segments
from sinks.objects.compaction import sweep as objects_sweep
from sinks.objects.compaction.sweep import Sweep
from sinks.objects.manifest import Root, as_bytes
from sinks.objects.names import MANIFEST, SEGMENTS
from tests.io.sinks.objects.filled_lake import BY, FilledLake

HOUR = timedelta(hours=1)
LOOSE = f"{SEGMENTS}loose.json"


def swept(lake: FilledLake) -> int:
    """What a sweep deletes of the manifest's parts."""
    work = Sweep(lake.database, lake.store, lake.sink, HOUR, BY, lambda: None)
    return segments.sweep(work, lake.publisher)


def parts(lake: FilledLake) -> list[str]:
    return [name for name, _ in lake.store.names(SEGMENTS)]


def replace_root(lake: FilledLake) -> Root:
    """As every change of the manifest does."""
    root, etag = lake.publisher.root()
    new = Root(root.sink, root.number + 1, 1, datetime.now(UTC), root.segments, root.objects)
    lake.store.replace(MANIFEST, as_bytes(new), etag)
    return new


def test_a_part_that_no_root_names_is_deleted_in_the_end(lake: FilledLake) -> None:
    lake.store.create(LOOSE, b"")
    assert swept(lake) == 0
    replace_root(lake)
    lake.age(HOUR)
    assert swept(lake) == 1
    assert parts(lake) == []
    assert lake.states() == {}, "its name is forgotten"
    assert lake.trail() == [("sweep", "ada", "because", 1)]


def test_a_part_stays_while_its_writer_may_still_name_it(lake: FilledLake) -> None:
    lake.store.create(LOOSE, b"")
    swept(lake)
    lake.age(2 * HOUR)
    assert swept(lake) == 0, "the root of before may still be replaced by one that names it"
    replace_root(lake)
    assert swept(lake) == 1


def test_a_part_stays_for_readers_of_an_older_manifest(lake: FilledLake) -> None:
    lake.store.create(LOOSE, b"")
    swept(lake)
    replace_root(lake)
    lake.age(HOUR / 2)
    assert swept(lake) == 0
    assert parts(lake) == [LOOSE]


def test_a_part_that_is_named_after_all_stays(
    lake: FilledLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "SEGMENT_OBJECTS", 1)
    for number in range(2):
        lake.settle(f"t/{number}.parquet", [{"n": 1}], pending=True)
        lake.publisher.publish()
    replace_root(lake)
    assert len(parts(lake)) == 1, "the first object has a part of its own by now"
    swept(lake)
    lake.age(2 * HOUR)
    replace_root(lake)
    assert swept(lake) == 0
    assert len(parts(lake)) == 1
    assert list(lake.states().values()) == ["settled", "settled"]


def test_the_sweep_of_objects_leaves_parts_alone(lake: FilledLake) -> None:
    lake.store.create(LOOSE, b"")
    swept(lake)
    lake.age(2 * HOUR)
    work = Sweep(lake.database, lake.store, lake.sink, HOUR, BY, lambda: None)
    assert objects_sweep.sweep(work) == (0, 0)
    assert parts(lake) == [LOOSE]
