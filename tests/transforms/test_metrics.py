"""The tally of a process, beside Beam's own counters."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.transforms.forks import in_child
from transforms import metrics
from transforms.batch.counts import Counts
from transforms.metrics import MOST_TARGETS, OTHER_TARGETS


@pytest.fixture(autouse=True)
def fresh_tally() -> Iterator[None]:
    metrics.reset()
    yield
    metrics.reset()


def test_the_tally_sums_what_was_counted() -> None:
    metrics.count("batches")
    metrics.count("batches", 2)
    assert metrics.tally() == {"batches": 3}


def test_nothing_counted_leaves_no_counter() -> None:
    metrics.count("trimmed", 0)
    assert metrics.tally() == {}


def test_every_count_goes_to_the_counter_of_its_name() -> None:
    metrics.count_all(Counts(read=5, inserted=4, dead=1))
    metrics.count_all(Counts(read=1, retrying=-1, inserted=2))
    assert metrics.tally() == {"read": 6, "inserted": 6, "dead": 1, "retrying": -1}


def test_a_table_has_counters_of_its_own() -> None:
    assert metrics.count_target("app.orders", Counts(read=2, inserted=2)) == "app.orders"
    assert metrics.tally() == {"read@app.orders": 2, "inserted@app.orders": 2}


def test_a_new_pipeline_names_its_tables_anew() -> None:
    for number in range(MOST_TARGETS):
        metrics.count_target(f"t{number}", Counts(read=1))
    assert metrics.count_target("late", Counts(read=1)) == OTHER_TARGETS
    metrics.reset()
    assert metrics.count_target("late", Counts(read=1)) == "late"


def test_a_new_pipeline_starts_at_zero() -> None:
    metrics.count("commits")
    metrics.reset()
    assert metrics.tally() == {}


def test_threads_lose_no_count() -> None:
    def count() -> None:
        for _ in range(1_000):
            metrics.count("commits")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.tally() == {"commits": 4_000}


def test_a_forked_process_counts_for_itself() -> None:
    metrics.count("commits")
    assert in_child(lambda: metrics.tally() == {})
    assert metrics.tally() == {"commits": 1}
