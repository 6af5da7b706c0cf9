"""A run is closed however it ends, unless its job goes on elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.ingestion.run_entry import entered
from sinks.runs.history import list_runs
from sinks.runs.runs import Run
from sinks.sql import SqlConfig, SqlSink
from transforms.errors import SluiceError


@pytest.fixture
def entry(tmp_path: Path) -> Run:
    config = SqlConfig.of(f"sqlite:///{tmp_path}/ingest.db", "events", key=["id"])
    SqlSink(config).prepare()
    return Run("1", config, "", "DirectRunner", "1.2.3")


def ends(entry: Run) -> list[tuple[str, str | None]]:
    return [(row.state, row.message) for row in list_runs(entry.config.database)]


def test_by_itself(entry: Run) -> None:
    with entered(entry):
        assert ends(entry) == [("running", None)]
    assert ends(entry) == [("completed", None)]


def test_as_the_block_says(entry: Run) -> None:
    with entered(entry) as ending:
        ending.outcome, ending.message = "stopped", "stopped by SIGTERM"
    assert ends(entry) == [("stopped", "stopped by SIGTERM")]


def test_by_an_error_which_goes_on(entry: Run) -> None:
    with pytest.raises(SluiceError), entered(entry):
        raise SluiceError("the line")
    assert ends(entry) == [("failed", "the line")]


@pytest.mark.parametrize("goes_on", [True, False])
def test_it_is_left_open_if_the_job_goes_on_or_somebody_interrupts(
    entry: Run, goes_on: bool
) -> None:
    if goes_on:
        with entered(entry) as ending:
            ending.outcome = None
    else:
        with pytest.raises(KeyboardInterrupt), entered(entry):
            raise KeyboardInterrupt
    assert ends(entry) == [("running", None)]


def test_an_end_that_cannot_be_noted_is_said_and_changes_nothing(
    entry: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with entered(entry):
        path = entry.config.database.url.partition(":///")[2]
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE ingest_runs")
    assert "the end of run 1 is not noted" in capsys.readouterr().err
