"""Showing, stopping and cancelling jobs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from runners.flink.rest import FlinkRefused


def test_a_cluster_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        master = f"127.0.0.1:{unused.getsockname()[1]}"
        assert flink_jobs.main(["status", "--flink_master", master]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flink: no answer from a Flink JobManager at http://" + master)


@pytest.mark.integration
def test_a_job_that_is_not_there_is_refused_in_one_line(flink: FlinkCluster) -> None:
    with pytest.raises(FlinkRefused) as caught:
        flink_jobs.cancel(flink.rest, "0" * 32, seconds=5)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.integration
def test_stop_needs_a_job_that_runs(
    flink: FlinkCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    master = flink.endpoints.flink_master
    assert flink_jobs.main(["stop", "--flink_master", master]) == 1
    assert "name one with --job: 0 jobs are running" in capsys.readouterr().err


def test_without_a_cluster_it_says_how_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert flink_jobs.main(["status"]) == 1
    assert capsys.readouterr().err == "flink: name the cluster with --flink_master host:port\n"
