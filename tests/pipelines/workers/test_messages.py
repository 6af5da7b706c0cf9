"""What a worker reports counts in the process that started it, once, however often it is reported."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from pipelines.telemetry.process import ProcessMetrics
from pipelines.workers.messages import Snapshot
from sinks.database import engine, leases
from tests.transforms.forks import in_child
from transforms import instruments, metrics, notes
from transforms.batch import backoff
from transforms.read import standing
from transforms.read.standing import Standing


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for reset in (metrics.reset, instruments.reset, notes.reset, standing.reset):
        reset()
    backoff.forget_outages()
    yield
    for reset in (metrics.reset, instruments.reset, notes.reset, standing.reset):
        reset()
    backoff.forget_outages()


def of_worker(read: int, source: str) -> Snapshot:
    """A snapshot of a worker, which passes through a pickle as on the line."""
    for reset in (metrics.reset, instruments.reset, notes.reset, standing.reset):
        reset()
    metrics.count("batches", read)
    instruments.add("records_read", read, source)
    instruments.hold("source_lag_records", read, source, "0")
    instruments.observe("commit_duration", [0.02, 0.2], "committed")
    notes.note("detected", "csv", f"file:///{read}")
    standing.note(Standing(source, "0", held=read))
    snapshot: Snapshot = pickle.loads(pickle.dumps(Snapshot.taken()))
    for reset in (metrics.reset, instruments.reset, notes.reset, standing.reset):
        reset()
    return snapshot


def test_what_two_workers_report_is_summed() -> None:
    first, second = of_worker(3, "a"), of_worker(4, "b")
    metrics.count("batches", 10)  # planning counts here
    first.adopt(0)
    second.adopt(1)
    second.adopt(1)  # a later snapshot takes the place of an earlier one
    assert metrics.tally() == {"batches": 17}
    measured = instruments.measured()
    assert measured.counters["records_read"] == {("a",): 3, ("b",): 4}
    assert measured.gauges["source_lag_records"] == {("a", "0"): 3, ("b", "0"): 4}
    (buckets,) = measured.histograms["commit_duration"].values()
    assert sum(buckets.counts) == 4
    assert buckets.sum == pytest.approx(0.44)
    (note,) = notes.noted()
    assert (note.count, note.names) == (2, ("file:///3", "file:///4"))
    assert standing.held_back() == 7


def test_the_metrics_have_the_leases_and_connections_of_the_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "number", lambda: 1)
    monkeypatch.setattr(engine, "connections", lambda: {"used": 3, "idle": 2})
    for worker, snapshot in enumerate([of_worker(1, "a"), of_worker(1, "b")]):
        snapshot.adopt(worker)
    process = ProcessMetrics(lambda: {"pipeline": "p", "target": "t"}, {})
    samples = [sample for metric in process.collect() for sample in metric.samples]
    assert [each.value for each in samples if each.name == "sluice_leases"] == [3.0]
    states = {
        each.labels["state"]: each.value for each in samples if each.name == "sluice_connections"
    }
    assert states == {"used": 9.0, "idle": 6.0}, "of this process and of two workers"


def test_a_service_is_away_for_as_long_as_for_the_worker_that_waits_longest() -> None:
    backoff.adopt(0, {"database": 2.0})
    backoff.adopt(1, {"database": 5.0, "kafka": 1.0})
    assert backoff.services_away() == {"database": 5.0, "kafka": 1.0}
    backoff.adopt(1, {})
    assert backoff.services_away() == {"database": 2.0}


def test_the_last_commit_is_that_of_any_worker() -> None:
    snapshot = of_worker(1, "a")
    before = instruments.seconds_since_commit()
    snapshot.measured.committed += 1_000.0
    snapshot.adopt(0)
    assert instruments.seconds_since_commit() < before - 900.0


def test_stages_are_those_of_the_workers_and_never_more_than_their_time() -> None:
    first, second = of_worker(1, "a"), of_worker(1, "b")
    first.measured.started = first.measured.at - 10.0
    second.measured.started = second.measured.at - 20.0
    first.adopt(0)
    second.adopt(1)
    measured = instruments.measured()
    assert measured.at - measured.started == pytest.approx(30.0)


def test_a_worker_begins_without_what_others_have_reported() -> None:
    of_worker(3, "a").adopt(0)
    assert in_child(lambda: Snapshot.taken().tally == {} and Snapshot.taken().noted == [])
