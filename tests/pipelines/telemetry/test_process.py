"""What a process shows of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from pipelines.telemetry import process
from pipelines.telemetry.process import ProcessMetrics
from sinks.control import polling
from sinks.control.requests import Requested
from transforms import instruments
from transforms.batch.backoff import Backoff, Outage, forget_outages
from transforms.read.control import Limit

LABELS = {"pipeline": "p", "target": "t"}


@pytest.fixture
def metrics() -> Iterator[ProcessMetrics]:
    instruments.reset()
    forget_outages()
    yield ProcessMetrics(lambda: LABELS, {"version": "1", "beam": "2", "runner": "DirectRunner"})
    instruments.reset()


def value(metrics: ProcessMetrics, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(metrics)
    generate_latest(registry)  # it can be written as text
    return registry.get_sample_value(name, {**LABELS, **labels})


def test_stages_add_up_to_the_time_since_the_start(metrics: ProcessMetrics) -> None:
    instruments.measured()
    instruments.add("stage_seconds", 1e-6, "parse")
    stages = ("read", "parse", "validate", "step", "write", "wait", "other")
    values = [value(metrics, "sluice_stage_seconds_total", stage=stage) for stage in stages]
    total = sum(filter(None, values))
    assert 0 < total < 60
    assert value(metrics, "sluice_stage_seconds_total", stage="parse") == 1e-6


def test_the_seconds_of_no_stage_fall_when_another_one_ends(metrics: ProcessMetrics) -> None:
    def other() -> float:
        return value(metrics, "sluice_stage_seconds_total", stage="other") or 0.0

    names: tuple[instruments.Stage | None, ...] = ("write", None)
    shown = []
    for name in names:
        instruments.begin_stage(name)
        shown.append(other())
        instruments.end_stage("write")
        shown.append(other())
    assert shown == sorted(shown)


def test_histograms_are_cumulative(metrics: ProcessMetrics) -> None:
    instruments.observe("freshness", [0.2, 0.7, 1e9], "kafka://t")
    bucket = "sluice_freshness_seconds_bucket"
    bounds = {"0.1": 0, "0.25": 1, "0.5": 1, "1.0": 2, "86400.0": 2, "+Inf": 3}
    values = {le: value(metrics, bucket, le=le, source="kafka://t") for le in bounds}
    assert values == bounds
    assert value(metrics, "sluice_freshness_seconds_count", source="kafka://t") == 3


def test_every_measure_has_its_metric(metrics: ProcessMetrics) -> None:
    instruments.add("record_failures", 2, "parse", "malformed")
    instruments.hold("writer_queue_records", 5)
    instruments.observe("commit_records", (7,))
    instruments.observe("commit_duration", (0.3,), "ok")
    instruments.add("table_records", 4, "app.orders", "inserted")
    labels = {"stage": "parse", "category": "malformed"}
    assert value(metrics, "sluice_record_failures_total", **labels) == 2
    assert value(metrics, "sluice_writer_queue_records") == 5
    of_table = {"table": "app.orders", "outcome": "inserted"}
    assert value(metrics, "sluice_table_records_total", **of_table) == 4
    assert value(metrics, "sluice_commit_records_sum") == 7
    assert value(metrics, "sluice_commit_duration_seconds_count", result="ok") == 1
    assert value(metrics, "sluice_connections", state="used") is not None


def test_it_is_ready_unless_a_service_is_away(metrics: ProcessMetrics) -> None:
    assert metrics.ready().ok
    outage = Outage(Backoff(), 60, service="kafka", clock=lambda: 0.0)
    outage.next_wait()
    assert metrics.ready().reasons == ("kafka has been away for 0 s",)
    assert metrics.live().ok
    outage.end()
    assert metrics.ready().ok


def test_it_is_not_ready_if_nothing_is_committed_though_there_is_something_to_read(
    metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "STALLED_SECONDS", -1.0)
    assert metrics.ready().ok
    instruments.hold("source_lag_records", 3, "kafka://t", "0/1")
    (reason,) = metrics.ready().reasons
    assert "3 records can be read" in reason
    assert metrics.ready().figures["lag"] == {"kafka://t": 3}


class TestHeld:
    """An operator holds the pipeline: it is shown, and it is not unhealthy."""

    ROW = Requested(
        *(
            "p",
            "",
            "paused",
            None,
            None,
            0,
            "ann",
            "disk full",
            datetime(2026, 1, 1, tzinfo=UTC),
            None,
        )
    )

    def hold(self, monkeypatch: pytest.MonkeyPatch, *rows: Requested) -> None:
        monkeypatch.setattr(polling, "asked", lambda: list(rows))
        monkeypatch.setattr(polling, "held", lambda: [row for row in rows if row.holds])

    def test_a_gauge_says_which_source(
        self, metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert value(metrics, "sluice_paused", source="") == 0
        other = replace(self.ROW, source="kafka://a", state="running")
        self.hold(monkeypatch, self.ROW, other)
        assert value(metrics, "sluice_paused", source="") == 1
        assert value(metrics, "sluice_paused", source="kafka://a") == 0

    def test_a_gauge_says_which_share_of_a_limit_it_has(
        self, metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert value(metrics, "sluice_rate_share", source="", unit="records") is None
        shares = [Limit("", 30.0), Limit("kafka://a", None, 5e5)]
        monkeypatch.setattr(polling, "shares", lambda: shares)
        assert value(metrics, "sluice_rate_share", source="", unit="records") == 30.0
        assert value(metrics, "sluice_rate_share", source="", unit="bytes") is None
        assert value(metrics, "sluice_rate_share", source="kafka://a", unit="bytes") == 5e5

    def test_a_process_that_is_held_is_ready_although_nothing_is_committed(
        self, metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        instruments.hold("source_lag_records", 9, "kafka://t", "0")
        monkeypatch.setattr(instruments, "seconds_since_commit", lambda: 1e6)
        assert not metrics.ready().ok
        self.hold(monkeypatch, self.ROW)
        health = metrics.ready()
        assert health.ok
        assert health.figures["control"] == [
            {"source": "", "state": "paused", "actor": "ann", "reason": "disk full"}
        ]
