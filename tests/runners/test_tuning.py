"""The settings of a process that reads and writes batches."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from runners import direct
from runners.flink import worker
from runners.tuning import tune_process


@pytest.fixture
def untuned() -> Iterator[None]:
    before = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(before[0])
    gc.set_threshold(*before[1])
    gc.unfreeze()


@pytest.mark.usefixtures("untuned")
def test_a_tuned_process_hands_the_lock_of_the_interpreter_on_within_a_millisecond() -> None:
    tune_process()
    assert sys.getswitchinterval() < 0.001


@pytest.mark.usefixtures("untuned")
def test_a_worker_of_flink_is_tuned_as_the_process_of_direct_runner_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_find_programs", lambda: None)
    monkeypatch.setenv("SLUICE_WATCHED", "set by begin_forked, and taken back")
    before = 700, 10, 10  # an earlier test may have tuned this process
    gc.set_threshold(*before)
    worker.begin_forked()
    of_worker = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(*before)
    sys.setswitchinterval(0.005)
    direct.RUNNER.tune_process()
    assert (gc.get_threshold(), sys.getswitchinterval()) == of_worker
    assert of_worker[0] != before
