"""The run of a job that was ended by hand is not lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import command
from runners import streams
from runners.flink import jobs
from sinks.runs.history import list_runs
from sluice import flink
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import printed
from tests.runners.flink.job_manager import OWN, JobManager


@pytest.fixture
def cluster() -> Iterator[JobManager]:
    """A cluster with a job that ends when it is cancelled."""
    manager = JobManager()
    manager.cancels = True
    manager.answers[f"/jobs/{OWN}"] = {"state": "RUNNING"}
    yield manager
    manager.server.shutdown()
    manager.server.server_close()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database("sqlite", f"sqlite:///{tmp_path}/test.db")


def cancelled(cluster: JobManager, *more: str) -> int:
    master = cluster.rest.address.removeprefix("http://")
    argv = ["cancel", "--job", OWN, "--flink_master", master, "--json", *more]
    return command.run("flink", flink.main, argv)


def test_a_run_ends_with_its_job_and_others_go_on(
    cluster: JobManager, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    for id_, job in (("1", OWN), ("2", "f" * 32)):
        begun(database, id_).submitted(job)
    assert cancelled(cluster, "--sink", database.url) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["job"] == OWN
    assert not printed(err)
    rows = {row.id: row for row in list_runs(database.database)}
    assert (rows["1"].state, rows["2"].state) == ("stopped", "running")
    assert rows["1"].ended_at is not None


def test_a_wrong_database_is_told_before_anything_is_stopped(
    cluster: JobManager, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cancelled(cluster, "--sink", database.url) == command.USAGE
    out, err = capsys.readouterr()
    assert not out
    (line,) = printed(err)
    assert "has no ingest_ tables" in line
    assert not [request for request in cluster.requests if request.startswith("PATCH")]


def test_without_a_database_nothing_is_noted(cluster: JobManager, database: Database) -> None:
    begun(database).submitted(OWN)
    assert cancelled(cluster) == 0
    (row,) = list_runs(database.database)
    assert row.state == "running"


def test_a_status_that_nobody_can_read_is_a_failure(
    cluster: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "carry_out", lambda arguments: command.OK)
    monkeypatch.setattr(streams, "lost", lambda: "No space left on device")
    argv = ["status", "--flink_master", cluster.rest.address.removeprefix("http://")]
    assert command.run("flink", flink.main, argv) == command.FAILED
