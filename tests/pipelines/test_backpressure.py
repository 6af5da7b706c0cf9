"""A slow database holds the source; the picture of it is docs/backpressure.svg."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.kafka.backpressure import RECORD_BYTES, experiment
from tests.services.kafka_broker import KafkaBroker

RATE = 600.0
# What may wait, by WriteConfig and BatchLimits: 16 MiB queued, 24 MiB in a commit and 8 MiB in a
# batch, each as bytes and as values, and the commit's as COPY text too: some 120 MiB. What waits
# at the broker meanwhile is 180 MB, and would be twice that in memory.
GROWTH_MIB = 130


@pytest.mark.alone
@pytest.mark.slow
def test_reading_falls_with_writing_and_what_is_not_read_waits_in_kafka(
    kafka_broker: KafkaBroker, postgres_url: str, tmp_path: Path
) -> None:
    """It fails by itself unless, in the end, every record is there once and no lag is left."""
    kafka_broker.start()
    outcome = experiment(kafka_broker, postgres_url, tmp_path, rate=RATE, fast=5, slow=40)
    fast, slow, after = outcome.fast, outcome.slow, outcome.after

    assert fast.taken > 0.8 * RATE, "the database takes what is produced"
    assert slow.produced > 0.8 * RATE, "the producer goes on"
    assert slow.taken < 0.15 * RATE, "the database takes a tenth"
    if shutil.which("ss"):
        assert fast.received is not None
        assert slow.received is not None
        assert fast.received > 0.8 * RATE
        # At first, what may wait in memory fills up; then only what is written is read.
        late = slow.samples[3 * len(slow.samples) // 4 :]
        assert read_between(late[0].received, late[-1].received) < (
            0.25 * RATE * (late[-1].at - late[0].at) * outcome.record_bytes
        )

    lags = [each.lag for each in slow.samples]
    assert fast.samples[-1].lag < 2 * RATE, "under two seconds of the stream"
    assert lags[-1] > 0.7 * slow.produced * (slow.samples[-1].at - slow.samples[0].at)
    assert lags[len(lags) // 2] < 0.7 * lags[-1], "it grows as long as the database is slow"

    # What waits is on disk at the broker: some 80 MB, of which the process holds its bounds.
    assert slow.peak - fast.peak < GROWTH_MIB
    # A process that went on reading would grow by at least what was produced meanwhile. One that does
    # not grows by one commit's values and text at most, 20 MiB at once, whenever that may be.
    full = slow.samples[3 * len(slow.samples) // 4 :]
    waits = (full[-1].lag - full[0].lag) * RECORD_BYTES / (1 << 20)
    assert full[-1].resident - full[0].resident < 0.9 * waits, "it stays at the broker"
    assert after.peak - slow.peak < GROWTH_MIB
    assert after.samples[-1].lag < RATE


def read_between(first: int | None, last: int | None) -> int:
    assert first is not None
    assert last is not None
    return last - first
