"""A stream says now and then how it does."""

from __future__ import annotations

import logging
import threading

import pytest

from pipelines.ingestion import pulse
from pipelines.telemetry.reading import Reading
from tests.waiting import wait_until
from transforms import instruments


def test_a_line_has_the_figures_for_people_and_for_programs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    before = Reading(at=0, records=100)
    instruments.reset()
    instruments.hold("source_lag_records", 9, "kafka://t", "reader")
    pulse.tell(Reading(at=30, records=400, dead=2, retrying=1, lag=9, since_commit=4.0), before)
    (record,) = caplog.records
    assert record.getMessage().startswith("10 records/s, 400 records, lag 9, 2 dead, 1 retrying")
    extra = vars(record)
    assert (extra["records_per_second"], extra["lag"], extra["dead"]) == (10, 9, 2)
    assert extra["lag_by_source"] == {"kafka://t": 9}
    assert extra["freshness_seconds"] is None
    assert extra["away"] == {}


def test_lines_come_until_the_block_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    with pulse.beating(seconds=0.001):
        wait_until(lambda: len(caplog.records) >= 2, "two lines")
    assert "pulse" not in {thread.name for thread in threading.enumerate()}
