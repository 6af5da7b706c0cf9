from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Barrier

import pytest

from sinks.objects.compaction import parts, reading
from sinks.objects.compaction.plan import Part
from sinks.objects.compaction.reading import AHEAD, Unmergeable, ahead, opened
from tests.io.sinks.objects.filled_lake import FilledLake

PART = Part(1, "t", "p", "t/a.parquet", "s", "0", 0, 1, 1, 1, "e")


def test_objects_come_in_their_order() -> None:
    listed = [replace(PART, id=number) for number in range(3 * AHEAD)]
    read = [(part.id, result()) for part, result in ahead(lambda part: part.id * 2, listed)]
    assert read == [(number, number * 2) for number in range(3 * AHEAD)]


def test_several_are_read_side_by_side() -> None:
    together = Barrier(2, timeout=10)  # nobody passes it alone
    assert len(list(ahead(lambda _: together.wait(), [PART, PART]))) == 2


def test_one_that_cannot_be_read_does_not_end_the_others() -> None:
    def fail(part: Part) -> int:
        if part.id == 1:
            raise Unmergeable("it is not there")
        return part.id

    _, results = zip(*ahead(fail, [PART, replace(PART, id=2)]), strict=True)
    with pytest.raises(Unmergeable):
        results[0]()
    assert results[1]() == 2


@pytest.mark.parametrize("whole", [reading.WHOLE_BYTES, 0])
def test_the_object_is_the_one_that_was_settled(
    lake: FilledLake, monkeypatch: pytest.MonkeyPatch, whole: int
) -> None:
    monkeypatch.setattr(reading, "WHOLE_BYTES", whole)
    number = lake.settle("t/a.jsonl.gz", [{"n": 1}])
    (part,) = parts.load(lake.database, [number])
    with opened(lake.store, part) as file:
        assert file.read() == (lake.folder / part.name).read_bytes()
    refused = pytest.raises(Unmergeable, match="is another object than was settled")
    with refused:
        opened(lake.store, replace(part, etag="other"))
    lake.store.delete(part.name)
    with pytest.raises(Unmergeable, match=r"t/a\.jsonl\.gz is not there"):
        opened(lake.store, part)


def test_what_nobody_asks_for_any_more_is_not_read() -> None:
    asked: list[int] = []
    read: Callable[[Part], None] = lambda part: asked.append(part.id)
    reader = ahead(read, (replace(PART, id=number) for number in range(1_000)))
    next(reader)
    reader.close()
    assert len(asked) <= AHEAD
