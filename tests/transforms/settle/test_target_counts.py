"""What is counted for a table is read back for that table, whatever its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from transforms import instruments, metrics
from transforms.batch.counts import Counts
from transforms.metrics import MOST_TARGETS, OTHER_TARGETS
from transforms.settle import target_counts

ORDERS = Counts(read=5, inserted=4, dead=1)
ODD = Counts(read=1, expanded=1, updated=1, retrying=1)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    metrics.reset()
    instruments.reset()
    yield
    metrics.reset()
    instruments.reset()


def test_counts_come_back_for_each_table_apart_from_those_of_the_whole() -> None:
    metrics.count_all(ORDERS + ODD)
    for _ in range(2):
        target_counts.count([{"orders": ORDERS, "a@b.é c": ODD}])
    assert target_counts.by_target(metrics.tally()) == {
        "a@b.é c": ODD + ODD,
        "orders": ORDERS + ORDERS,
    }
    assert metrics.tally()["inserted"] == 4


def test_the_batches_of_a_commit_are_added_up() -> None:
    target_counts.count([{"orders": ORDERS}, {}, {"orders": ORDERS, "lines": ODD}])
    assert target_counts.by_target(metrics.tally()) == {"lines": ODD, "orders": ORDERS + ORDERS}


def test_without_routes_there_is_no_counter_of_a_table() -> None:
    target_counts.count([{}, {}])
    assert metrics.tally() == {}
    assert target_counts.by_target({"read": 3, "inserted": 3}) == {}


def test_counters_of_something_else_are_no_counts_of_a_table() -> None:
    assert target_counts.by_target({"batches@orders": 3, "read": 1}) == {}


def test_what_no_longer_waits_for_an_attempt_is_subtracted() -> None:
    target_counts.count([{"orders": Counts(read=1, retrying=1)}])
    target_counts.count([{"orders": Counts(inserted=1, retrying=-1)}])
    assert target_counts.by_target(metrics.tally()) == {"orders": Counts(read=1, inserted=1)}


def test_tables_beyond_the_most_are_counted_together() -> None:
    for number in (*range(MOST_TARGETS + 5), MOST_TARGETS + 4, 0):
        target_counts.count([{f"t{number}": Counts(read=1, inserted=1)}])
    counts = target_counts.by_target(metrics.tally())
    assert len(counts) == MOST_TARGETS + 1
    assert list(counts)[-1] == OTHER_TARGETS
    assert counts[OTHER_TARGETS] == Counts(read=6, inserted=6)
    assert counts["t0"] == Counts(read=2, inserted=2)
    series = instruments.measured().counters["table_records"]
    assert series[OTHER_TARGETS, "inserted"] == 6


def test_of_the_tables_of_several_processes_the_largest_keep_their_names() -> None:
    counters = {f"read@t{number}": number for number in range(1, MOST_TARGETS + 3)}
    counts = target_counts.by_target({**counters, f"read@{OTHER_TARGETS}": 10})
    assert "t1" not in counts
    assert "t2" not in counts
    assert counts[OTHER_TARGETS] == Counts(read=1 + 2 + 10)
    assert sum(each.read for each in counts.values()) == sum(counters.values()) + 10


def test_a_process_shows_only_what_never_falls() -> None:
    target_counts.count([{"orders": Counts(read=3, inserted=1, dead=1, retrying=1)}])
    target_counts.count([{"orders": Counts(inserted=1, retrying=-1)}])
    series = instruments.measured().counters["table_records"]
    assert series == {("orders", "inserted"): 2, ("orders", "dead"): 1}


def test_every_outcome_of_every_named_table_has_a_series_of_its_own() -> None:
    every = Counts(inserted=1, updated=1, duplicates=1, filtered=1, dead=1)
    for number in range(MOST_TARGETS + 1):
        target_counts.count([{f"t{number}": every}])
    series = instruments.measured().counters["table_records"]
    assert set(series.values()) == {1}
    assert len(series) == 5 * (MOST_TARGETS + 1)


def test_a_runner_that_returns_metrics_alone_returns_them_by_table() -> None:
    def settle(_: int) -> None:
        target_counts.count([{"app.orders": ORDERS}])

    pipeline = beam.Pipeline(runner=FnApiRunner())
    pipeline | beam.Create([1, 2]) | beam.Map(settle)
    result = pipeline.run()
    query = result.metrics().query(MetricsFilter().with_namespace(metrics.NAMESPACE))
    counters = Counter({each.key.metric.name: each.committed for each in query["counters"]})
    assert target_counts.by_target(counters) == {"app.orders": ORDERS + ORDERS}
