"""What is said where the end of a run cannot be noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.operation.ended_jobs import noting
from sinks.runs.history import list_runs
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database("sqlite", f"sqlite:///{tmp_path}/test.db")


def test_a_run_that_has_ended_keeps_its_end(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(database)
    run.submitted("f00d")
    run.end("failed", "a reason")
    noting(database.url, "flink")("f00d")
    line = capsys.readouterr().err
    assert line.startswith("flink: no run of job f00d goes on in sqlite database ")
    (row,) = list_runs(database.database)
    assert (row.state, row.message) == ("failed", "a reason")


def test_a_database_that_refuses_is_one_line(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(database).submitted("f00d")
    note = noting(database.url, "flink")
    database.run("DROP TABLE ingest_runs")
    note("f00d")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("flink: job f00d has ended, but the end of its run is not noted: ")
