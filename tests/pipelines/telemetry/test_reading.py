"""What a process can tell of a run between two readings."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from pipelines.telemetry.reading import Reading, line_of
from transforms import instruments, metrics
from transforms.batch.backoff import Backoff, Outage

BUCKETS = len(instruments.BOUNDS["freshness"]) + 1


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    metrics.reset()
    instruments.reset()
    yield
    metrics.reset()
    instruments.reset()


def ages(**counts: int) -> list[int]:
    """Numbers of records by bucket: ``b3=2`` is two in the fourth bucket."""
    return [counts.get(f"b{number}", 0) for number in range(BUCKETS)]


def test_it_reads_what_the_process_has_counted() -> None:
    metrics.count_all([("read", 7), ("expanded", 2), ("dead", 1), ("retrying", 3)])
    metrics.count("bytes_read", 50)
    metrics.count("bytes_planned", 200)
    instruments.hold("source_lag_records", 4, "kafka://a", "0")
    instruments.hold("source_lag_records", 5, "kafka://b", "0")
    instruments.observe("freshness", [0.2], "kafka://a")
    instruments.observe("freshness", [0.2, 1e9], "kafka://b")
    outage = Outage(Backoff(), 60, service="kafka", clock=lambda: 0.0)
    outage.next_wait()
    now = Reading.now()
    outage.end()
    assert (now.records, now.dead, now.retrying, now.lag) == (9, 1, 3, 9)
    assert (now.bytes_read, now.bytes_planned) == (50, 200)
    assert now.away == {"kafka": 0.0}
    assert now.ages == [0, 2, *([0] * (BUCKETS - 3)), 1]


def test_without_a_topic_there_is_no_lag() -> None:
    assert Reading.now().lag is None


def test_a_rate_is_what_was_read_in_between() -> None:
    assert Reading(at=12, records=500).rate(Reading(at=10, records=100)) == 200
    assert Reading(at=10, records=5).rate(Reading(at=10)) == 0, "no time has passed"
    assert Reading(at=12, records=5).rate(Reading(at=10, records=100)) == 0, "counted anew"


def test_an_age_is_the_bound_below_which_half_of_the_new_records_lie() -> None:
    before = Reading(at=0, ages=ages(b0=1_000))
    assert Reading(at=1, ages=ages(b0=1_001, b3=2)).age(before) == 1
    assert Reading(at=1, ages=ages(b0=1_002, b3=2)).age(before) == 0.1
    assert Reading(at=1, ages=ages(b0=1_000)).age(before) is None
    beyond = Reading(at=1, ages=[*ages(b0=1_000)[:-1], 9])
    assert beyond.age(before) == math.inf
    assert Reading(at=1, ages=ages(b1=3)).age(Reading(at=0)) == 0.25
    assert Reading(at=1).age(before) is None


def test_what_is_left_is_foretold_from_the_bytes() -> None:
    before = Reading(at=0, bytes_read=100, bytes_planned=1_000)
    assert Reading(at=5, bytes_read=200, bytes_planned=1_000).left(before) == 40
    assert Reading(at=5, bytes_read=100, bytes_planned=1_000).left(before) is None
    assert Reading(at=5, bytes_read=200).left(Reading(at=0, bytes_read=100)) is None


def test_a_line_of_a_stream_has_its_lag_and_one_of_a_bounded_run_its_end() -> None:
    before = Reading(at=0)
    now = Reading(
        *(10, 5_000, 2, 1, 250, 1_000, 77),
        away={"database": 12.0},
        ages=ages(b2=5),
        since_commit=3.0,
    )
    stream = line_of(now, before, streaming=True)
    assert stream == (
        "500 records/s, 5,000 records, lag 77, 2 dead, 1 retrying, half of them at most 0.5 s old "
        "when committed, last commit 3 s ago, database away for 12 s"
    )
    bounded = line_of(now, before, streaming=False)
    assert "25% of the bytes, about 30 s left" in bounded
    assert "last commit" not in bounded


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({}, ""),
        ({"": "paused", "kafka://a": "draining"}, "paused, "),
        ({"kafka://a": "paused"}, "1 source held, "),
        ({"kafka://a": "paused", "kafka://b": "paused"}, "2 sources held, "),
    ],
)
def test_a_line_says_first_what_is_held(held: dict[str, str], words: str) -> None:
    before, now = Reading(at=0.0), Reading(at=10.0, held=held)
    assert line_of(now, before, streaming=True).startswith(f"{words}0 records/s")
