from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipelines.ingestion import stuck_step
from tests.waiting import wait_until
from transforms.read import drain
from transforms.steps import inline_calls


@pytest.fixture(autouse=True)
def no_drain() -> Iterator[None]:
    drain.reset()
    yield
    drain.reset()


def test_a_step_that_does_not_return_ends_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    drain.request()
    ended: list[int] = []
    with inline_calls.calling("Slow"):
        stuck_step.watch(0.01, ended.append)
    assert ended == [1]
    line = "ingest: stopped; step 'Slow' had not returned 0.01 s later: its records are read again"
    assert capsys.readouterr().err.startswith(line)


def test_a_pipeline_whose_steps_return_ends_by_itself() -> None:
    ended: list[int] = []
    drain.request()
    watching = threading.Thread(target=stuck_step.watch, args=(0.0, ended.append))
    watching.start()
    drain.reset()
    watching.join()
    assert ended == []


def test_a_signal_asks_for_a_drain_and_has_the_steps_watched() -> None:
    stuck_step.stop()
    assert drain.requested()
    assert "stuck step" in {thread.name for thread in threading.enumerate()}
    drain.reset()
    wait_until(
        lambda: "stuck step" not in {thread.name for thread in threading.enumerate()}, "its end"
    )
