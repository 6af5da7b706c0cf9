"""What a process says of itself: lags of all its splits, and services that are away."""

from __future__ import annotations

from sinks.runs.process_figures import figures
from transforms import instruments
from transforms.batch.backoff import Backoff, Outage, forget_outages


def test_lags_are_added_and_outages_last_until_they_end() -> None:
    instruments.reset()
    forget_outages()
    instruments.hold("source_lag_records", 2, "kafka://t", "1")
    instruments.hold("source_lag_records", 3, "kafka://t", "2")
    now = [100.0]
    outage = Outage(Backoff(), 60, service="kafka", clock=lambda: now[0])
    assert figures() == {"lag": {"kafka://t": 5}, "outage_seconds": {}}
    outage.next_wait()
    now[0] = 107.0
    assert figures()["outage_seconds"] == {"kafka": 7.0}
    outage.end()
    assert figures()["outage_seconds"] == {}
    instruments.reset()


def test_columns_that_were_changed_are_said_by_table() -> None:
    instruments.reset()
    instruments.add("columns_changed", 3, "orders", "added")
    instruments.add("columns_changed", 2, "orders", "widened")
    assert figures()["columns_added"] == {"orders": 3}
    assert figures()["columns_widened"] == {"orders": 2}
    instruments.reset()
