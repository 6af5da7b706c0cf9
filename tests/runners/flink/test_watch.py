"""A job is followed until it runs or ends; one that cannot heal is cancelled."""

from __future__ import annotations

import pytest
from apache_beam.runners.runner import PipelineState

from runners.flink.watch import finished, started
from runners.runner import RunnerUnavailable, Submission
from tests.runners.flink.job_manager import OWN, THEIRS, JobManager, reported, result
from tests.waiting import wait_until

CANCELLED = f"PATCH /jobs/{OWN}?mode=cancel"


def cannot_heal(text: str) -> bool:
    return "ConfigError" in text


def start(cluster: JobManager, state: str = PipelineState.RUNNING) -> Submission:
    return started(result(cluster, state), cannot_heal)


def runs(cluster: JobManager, *tasks: str, state: str = "RUNNING", parallelism: int = 1) -> None:
    if OWN not in [job["id"] for job in cluster.answers["/jobs"]["jobs"]]:
        cluster.has(**{OWN: "own"})
    vertices = [{"status": task, "parallelism": parallelism} for task in tasks]
    cluster.answers[f"/jobs/{OWN}"] = {"state": state, "vertices": vertices}


def fails(cluster: JobManager, stack: str, at: int = 100) -> None:
    entry = {"timestamp": at, "stacktrace": stack, "location": "tm-1:4000"}
    path = f"/jobs/{OWN}/exceptions?maxExceptions=1"
    cluster.answers[path] = {"exceptionHistory": {"entries": [entry]}}


def checkpoint(cluster: JobManager, at: int | None) -> None:
    completed = None if at is None else {"trigger_timestamp": at}
    cluster.answers[f"/jobs/{OWN}/checkpoints"] = {"latest": {"completed": completed}}


def test_an_id_that_is_not_found_is_no_started_job(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs"})
    with pytest.raises(RunnerUnavailable, match="its id is not known"):
        start(cluster)


def test_a_job_that_failed_before_it_began_is_reported(cluster: JobManager) -> None:
    with pytest.raises(RuntimeError, match="it could not begin"):
        start(cluster, PipelineState.FAILED)


def test_nobody_is_told_that_a_job_runs_before_all_of_it_does(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{OWN: "own"})
    tasks = [{"status": "RUNNING"}, {"status": "SCHEDULED"}]
    cluster.answers[f"/jobs/{OWN}"] = {"state": "RUNNING", "vertices": tasks}
    assert start(cluster).job == OWN
    (line,) = reported(caplog)
    assert line.startswith(f"job {OWN} does not run yet")
    assert "SCHEDULED" in line
    caplog.clear()
    tasks[1]["status"] = "RUNNING"
    assert start(cluster).job == OWN
    assert not reported(caplog)


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_job_that_ends_before_it_runs_is_reported(cluster: JobManager, state: str) -> None:
    cluster.has(**{OWN: "own"})
    cluster.answers[f"/jobs/{OWN}"] = {"state": state, "vertices": [{"status": "CANCELED"}]}
    with pytest.raises(RuntimeError, match="it could not begin"):
        start(cluster)


def test_a_stream_has_started_once_a_checkpoint_has_passed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    """It stands behind the first bundles: the workers have read."""
    runs(cluster, "RUNNING")
    checkpoint(cluster, None)
    start(cluster)
    assert reported(caplog), "not before"
    caplog.clear()
    checkpoint(cluster, 1)
    start(cluster)
    assert not reported(caplog)


def test_a_checkpoint_before_the_last_failure_proves_nothing(cluster: JobManager) -> None:
    runs(cluster, "RUNNING")
    fails(cluster, "a.b: lost", at=100)
    checkpoint(cluster, 99)
    with pytest.raises(
        RunnerUnavailable, match=r"was cancelled: a\.b: lost \(on the worker at tm-1"
    ):
        start(cluster)
    assert CANCELLED in cluster.requests, "or it would run later, and nobody would know"
    checkpoint(cluster, 101)
    assert start(cluster).job == OWN


def test_a_job_that_cannot_heal_is_cancelled_before_it_starts_again(cluster: JobManager) -> None:
    runs(cluster, "CANCELED", state="RESTARTING")
    fails(cluster, "a.b: x\n\tat c\nCaused by: Traceback\nt.errors.ConfigError: P is not set\n")
    with pytest.raises(RuntimeError, match="P is not set"):
        start(cluster)
    assert CANCELLED in cluster.requests


def test_a_module_that_workers_lack_does_not_come_with_another_attempt(cluster: JobManager) -> None:
    runs(cluster, "CANCELED", state="RESTARTING")
    fails(cluster, "a.b: Traceback\nModuleNotFoundError: No module named 'mine'\n\tat c\n")
    with pytest.raises(RuntimeError, match="mine"):
        start(cluster)


@pytest.mark.parametrize(("slots", "fits"), [(4, False), (9, True)])
def test_more_slots_than_there_are_is_refused_at_once_but_taken_ones_are_waited_for(
    cluster: JobManager, slots: int, fits: bool
) -> None:
    runs(cluster, "SCHEDULED", state="RESTARTING", parallelism=9)
    fails(cluster, "a.b: x\nCaused by: c.NoResourceAvailableException: no\n\tat d\n")
    cluster.answers["/overview"] = {"slots-total": slots}
    match = "did not come to run" if fits else "needs 9 slots .* has 4"
    with pytest.raises(RunnerUnavailable, match=match):
        start(cluster)
    assert CANCELLED in cluster.requests


def test_while_it_is_waited_for_a_job_that_cannot_heal_is_cancelled(cluster: JobManager) -> None:
    beams = result(cluster)
    beams.sluice_mark.job = OWN
    runs(cluster, "RUNNING")

    def wait_until_finish() -> None:
        wait_until(lambda: CANCELLED in cluster.requests, "the job is cancelled", seconds=30)
        raise RuntimeError("it was cancelled")

    beams.wait_until_finish = wait_until_finish
    fails(cluster, "a.b: x\n\tat c\nCaused by: Traceback\nt.errors.ConfigError: P is not set\n")
    with pytest.raises(RuntimeError, match="P is not set"):
        finished(beams, cannot_heal)


def test_while_it_is_waited_for_what_a_job_survives_is_said_once(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    beams = result(cluster)
    beams.sluice_mark.job = OWN
    runs(cluster, "RUNNING")
    fails(cluster, "io.grpc.StatusRuntimeException: CANCELLED: client cancelled\n")

    def wait_until_finish() -> None:
        wait_until(lambda: bool(reported(caplog)), "a line", seconds=30)
        fails(cluster, "io.grpc.StatusRuntimeException: CANCELLED: client cancelled\n", at=200)
        seen = len(cluster.requests)
        wait_until(lambda: len(cluster.requests) > seen + 6, "another look", seconds=30)

    beams.wait_until_finish = wait_until_finish
    finished(beams, cannot_heal)
    (line,) = reported(caplog)
    assert line.startswith(f"Flink job {OWN} starts again: a Python worker ended")
    assert CANCELLED not in cluster.requests
