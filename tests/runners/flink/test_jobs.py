"""Showing, stopping and cancelling jobs."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from runners.flink.rest import FlinkRefused
from tests.runners.flink.job_manager import JobManager


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


def requested(cluster: JobManager, job: str, number: int, operation: object) -> str:
    """The id of a request to stop ``job``, of which the cluster shows ``operation``."""
    request = hashlib.md5(f"{job} {number}".encode(), usedforsecurity=False).hexdigest()
    state = "IN_PROGRESS" if operation is None else "COMPLETED"
    answer = {"status": {"id": state}, "operation": operation}
    cluster.answers[f"/jobs/{job}/savepoints/{request}"] = answer
    return request


def test_a_stop_that_is_under_way_is_joined_and_said(
    cluster: JobManager, capsys: pytest.CaptureFixture[str]
) -> None:
    vertices = [{"status": "RUNNING"}]
    cluster.answers["/jobs/j"] = {"state": "RUNNING", "vertices": vertices}
    requested(cluster, "j", 0, {"failure-cause": {"stack-trace": "an earlier one failed"}})
    requested(cluster, "j", 1, {"location": "file:/s/savepoint-j"})
    assert flink_jobs.stop(cluster.rest, "j", seconds=5) == "file:/s/savepoint-j"
    assert "is being stopped already" in capsys.readouterr().err


def test_a_savepoint_that_takes_too_long_is_one_line(cluster: JobManager) -> None:
    cluster.answers["/jobs/j"] = {"state": "RUNNING", "vertices": []}
    requested(cluster, "j", 0, None)
    with pytest.raises(flink_jobs.JobError, match="takes more than 0 s"):
        flink_jobs.stop(cluster.rest, "j", seconds=0.3)


@pytest.mark.parametrize("action", [flink_jobs.stop, flink_jobs.cancel])
def test_a_job_that_has_ended_is_not_said_to_go_on(
    cluster: JobManager, action: Callable[..., object]
) -> None:
    cluster.answers["/jobs/j"] = {"state": "FAILED", "vertices": []}
    entry = {"timestamp": 1, "stacktrace": "a.b: oops\n\tat c\n", "location": "tm-1:4000"}
    path = "/jobs/j/exceptions?maxExceptions=1"
    cluster.answers[path] = {"exceptionHistory": {"entries": [entry]}}
    line = r"has ended already: it is FAILED: a\.b: oops \(on the worker at tm-1:4000\)"
    with pytest.raises(flink_jobs.JobError, match=line):
        action(cluster.rest, "j", seconds=5)
