"""What a process measures of itself adds up, and stays bounded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from transforms import instruments
from transforms.instruments import BOUNDS, MOST_SERIES, OTHER, measured


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    instruments.reset()
    yield
    instruments.reset()


def test_a_counter_is_a_sum_for_each_combination_of_labels() -> None:
    for amount, label in ((1, "a"), (2.5, "a"), (4, "b")):
        instruments.add("bytes_read", amount, label)
    assert measured().counters["bytes_read"] == {("a",): 3.5, ("b",): 4}


def test_a_gauge_is_what_was_set_last_until_it_is_let_go() -> None:
    instruments.hold("leases", 3)
    instruments.hold("leases", 2)
    assert measured().gauges["leases"] == {(): 2}
    instruments.let_go("leases")
    instruments.let_go("source_lag_records", "never", "set")
    assert measured().gauges["leases"] == {}


@pytest.mark.parametrize("values", [[0.2], [0.2, 0.2001], [0.05, 0.2, 0.1, 1e9, 86_400], [-3, 5]])
def test_a_value_is_counted_in_the_first_bucket_that_is_not_below_it(values: list[float]) -> None:
    instruments.observe("freshness", values, "t")
    buckets = measured().histograms["freshness"]["t",]
    bounds = [*BOUNDS["freshness"], float("inf")]
    expected = [0] * len(bounds)
    for value in values:
        expected[next(i for i, bound in enumerate(bounds) if value <= bound)] += 1
    assert buckets.counts == expected
    assert buckets.sum == pytest.approx(sum(values))


def test_no_values_make_no_series() -> None:
    instruments.observe("freshness", [], "t")
    assert measured().histograms == {}


def test_series_beyond_the_most_are_counted_together() -> None:
    for number in range(MOST_SERIES + 5):
        instruments.add("record_failures", 1, "step", str(number))
    series = measured().counters["record_failures"]
    assert len(series) == MOST_SERIES + 1
    assert series[OTHER, OTHER] == 5
    instruments.add("record_failures", 1, "step", "0")
    assert measured().counters["record_failures"]["step", "0"] == 2


def test_a_stage_takes_the_time_of_its_block_also_if_it_fails() -> None:
    started = time.perf_counter()
    with suppress(KeyError), instruments.stage("parse"):
        time.sleep(0.01)
        raise KeyError
    seconds = measured().counters["stage_seconds"]["parse",]
    assert 0.01 <= seconds <= time.perf_counter() - started


def test_a_stage_that_goes_on_is_counted_until_now_and_not_twice() -> None:
    with instruments.stage("write"):
        time.sleep(0.01)
        before = measured().counters["stage_seconds"]["write",]
        assert before >= 0.01
    after = measured()
    assert before <= after.counters["stage_seconds"]["write",] <= after.at - after.started


def test_the_seconds_of_a_stage_are_nameless_until_its_end_tells_its_name() -> None:
    instruments.begin_stage()
    time.sleep(0.01)
    before = measured()
    assert before.unnamed >= 0.01
    assert "stage_seconds" not in before.counters
    instruments.end_stage("wait")
    after = measured()
    assert after.counters["stage_seconds"]["wait",] >= before.unnamed
    assert after.unnamed == 0
    instruments.end_stage("wait")  # nothing has begun
    assert measured().counters == after.counters


def test_a_copy_does_not_change_any_more() -> None:
    instruments.observe("commit_records", (5,))
    before = measured()
    instruments.observe("commit_records", (5,))
    assert sum(before.histograms["commit_records"][()].counts) == 1


def test_the_time_since_a_commit_begins_with_the_process() -> None:
    instruments.add("leases_lost", 1)
    first = instruments.seconds_since_commit()
    time.sleep(0.02)
    assert instruments.seconds_since_commit() >= first + 0.02
    instruments.committed()
    assert instruments.seconds_since_commit() < 0.02
