"""The jobs that load classes run on a real cluster, and leave nothing running."""

from __future__ import annotations

import pytest

from runners.flink import jobs
from runners.flink.local.cluster import FlinkCluster
from runners.flink.local.training import train


@pytest.mark.integration
@pytest.mark.slow
def test_a_job_ends_and_a_stream_is_cancelled(flink: FlinkCluster) -> None:
    at = flink.endpoints
    train(at.flink_master, at.job_endpoint, at.worker_command)
    states = [job["state"] for job in jobs.status(flink.rest) if job["name"] == "classes"]
    assert sorted(states) == ["CANCELED", "FINISHED"]
