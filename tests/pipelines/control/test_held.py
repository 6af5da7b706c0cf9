"""What a run does that is held: which rows concern it, and the line that says how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipelines.control import held
from pipelines.ingestion.config import IngestConfig, RunConfig
from pipelines.ingestion.options import from_argv
from sinks.control import polling
from tests.pipelines.commands import arguments
from tests.pipelines.control.asked import steer
from tests.pipelines.control.conftest import FILE


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    polling.stop_all()


def configured(sink: str, *more: str) -> tuple[IngestConfig, RunConfig]:
    return from_argv(arguments(f"./{FILE}", sink, *more))


def test_a_row_of_a_source_that_the_run_does_not_read_does_not_hold_it(ran: str) -> None:
    steer("pause", ran, "--source", f"./{FILE}")
    config, _ = configured(ran)
    row = held.holding(config)
    assert row is not None
    assert not held.holds_all(row)
    assert held.holding(replace(config, sources=())) is None


@pytest.mark.parametrize(("action", "jobs"), [("pause", True), ("drain", False)])
def test_a_pause_holds_due_jobs_and_a_drain_does_not(action: str, jobs: bool, ran: str) -> None:
    steer(action, ran)
    config, _ = configured(ran)
    assert held.pauses_jobs(config) == jobs
    assert held.holds_all(held.holding(config))


def test_a_run_that_ends_looks_at_no_source_and_a_stream_says_that_it_waits(
    ran: str, capsys: pytest.CaptureFixture[str]
) -> None:
    steer("pause", ran)
    config, run = configured(ran)
    row = held.holding(config)
    capsys.readouterr()
    assert held.at_start(config, run, row).sources == ()
    assert capsys.readouterr().err == ""
    config, run = configured(ran, "--streaming")
    assert held.at_start(config, run, row).sources == config.sources
    assert (
        f"it waits until: sluice resume --pipeline events --sink {ran}" in capsys.readouterr().err
    )


def test_a_pause_that_is_over_by_the_end_is_said_too(ran: str) -> None:
    _, run = configured(ran)
    assert held.line_of(None, run).endswith("run again to read the rest")
