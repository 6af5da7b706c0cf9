"""How far each source is, as the process that reads it counts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipelines.telemetry.by_source import SourceReading, readings
from transforms import instruments


@dataclass(frozen=True)
class Folder:
    """A source that owns what lies in a folder, or a topic of that name."""

    uri: str

    def owns(self, source: str) -> bool:
        return source.startswith(self.uri)


@pytest.fixture(autouse=True)
def _anew() -> None:
    instruments.reset()


def test_each_source_has_what_was_counted_for_it() -> None:
    instruments.add("records_read", 5, "a/")
    instruments.add("records_read", 7, "b/")
    instruments.add("stored_bytes_planned", 100, "a/")
    instruments.add("stored_bytes_read", 40, "a/")
    for name in ("a/1", "a/2", "b/1", "elsewhere"):
        instruments.add("dead_letters", 2, name)
    instruments.hold("source_lag_records", 3, "b/0", "reader 1")
    instruments.hold("source_lag_records", 4, "b/0", "reader 2")
    first, second = readings([Folder("a/"), Folder("b/")])
    assert (first.records, first.dead, first.lag) == (5, 4, None)
    assert (first.bytes_read, first.bytes_planned) == (40, 100)
    assert (second.records, second.dead, second.lag, second.bytes_planned) == (7, 2, 7, 0)


def test_dead_letters_of_more_objects_than_are_kept_are_of_no_source() -> None:
    for number in range(instruments.MOST_SERIES + 10):
        instruments.add("dead_letters", 1, f"o/{number}")
    (reading,) = readings([Folder("o")])
    assert reading.dead == instruments.MOST_SERIES


def test_rate_and_time_left_are_those_between_two_readings() -> None:
    before = SourceReading(at=10, records=100, bytes_read=50, bytes_planned=1_000)
    now = SourceReading(at=20, records=400, bytes_read=150, bytes_planned=1_000)
    assert now.rate(before) == 30
    assert now.left(before) == 85
    assert before.left(before) is None
    assert SourceReading(at=20, bytes_read=9).left(before) is None, "what is planned is not known"


def test_what_several_have_is_added() -> None:
    one = SourceReading(at=1, records=1, dead=2, bytes_read=3, bytes_planned=4, lag=5)
    other = SourceReading(at=2, records=10, dead=20, bytes_read=30, bytes_planned=40)
    assert one + other == SourceReading(2, 11, 22, 33, 44, 5)
    assert (other + other).lag is None
