"""Batches wait for the end of a range that a crash has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks import object_ranges, object_shares
from sinks.object_ranges import LOOKS, is_within
from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.coverage import Range
from transforms.batch.record import RecordBatch
from transforms.errors import SinkUnavailable

PLACE = ("file:///a", "p")


def batch(start: int, end: int) -> RecordBatch:
    return make_batch([{"id": n} for n in range(start, end)], start)


@pytest.mark.parametrize(
    ("ranges", "within"),
    [
        ([(0, 10)], False),
        ([(0, 12)], True),
        ([(10, 12)], True),
        ([(0, 12), (12, 15)], True),
        ([(0, 12), (12, 20)], False),
        ([(0, 30)], False),
        ([(12, 15)], False),
        ([(20, 25)], False),
        ([(0, 5), (12, 15)], False),
    ],
)
def test_whether_an_open_range_can_still_become_whole(ranges: list[Range], within: bool) -> None:
    batches = [batch(*each) for each in ranges]
    assert is_within({PLACE: [(10, 20)]}, batches) is within
    assert not is_within({("file:///b", "p"): [(10, 20)]}, batches)


def test_a_sink_asks_for_the_rest_of_what_a_crash_has_left(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(sqlite_database, tmp_path / "lake")
    LOOKS.clear()
    assert lake.sink().complete([batch(0, 2)])
    with monkeypatch.context() as patch:
        patch.setattr(object_shares, "write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            lake.sink().commit([batch(0, 4)])
    assert lake.sink().complete([batch(0, 2)]), "it is not looked for at every call"
    LOOKS.clear()
    assert not lake.sink().complete([batch(0, 2)])
    assert lake.sink().complete([batch(0, 2), batch(2, 5)])


def test_a_state_that_is_away_keeps_no_batch_waiting(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise SinkUnavailable("away")

    monkeypatch.setattr(object_ranges, "transaction", away)
    LOOKS.clear()
    assert not object_ranges.ends_within(sqlite_database.config(), "other", [batch(0, 2)])
