"""A pipeline on Flink, as far as it can be seen without a cluster."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from runners.runner import RunnerUnavailable, named
from tests.services import beam_job_server
from transforms.read.restriction import Restrictions


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without a local cluster."""
    monkeypatch.chdir(tmp_path)


def test_a_job_server_that_is_not_there_is_one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{unused.getsockname()[1]}"
        with (
            pytest.raises(RunnerUnavailable, match=f"no job server .*{endpoint}"),
            named("FlinkRunner").pipeline(["--job_endpoint", endpoint]),
        ):
            pass


def test_an_endless_pipeline_is_not_run_as_a_bounded_one() -> None:
    """It would have no checkpoints, whatever the options say."""
    with (
        beam_job_server.answering() as endpoint,
        named("FlinkRunner").pipeline(["--job_endpoint", endpoint]) as pipeline,
    ):
        pipeline | beam.Impulse() | beam.ParDo(_Endless())
        with pytest.raises(RunnerUnavailable, match="--streaming"):
            pipeline.run()


class _Endless(beam.DoFn):
    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]  # Beam ships no types
    def process(
        self,
        element: bytes,
        tracker: Any = beam.DoFn.RestrictionParam(Restrictions(bounded=False)),
    ) -> None:
        """Never called."""


def test_a_job_that_was_cancelled_or_failed_is_one_line() -> None:
    explained = named("FlinkRunner").explained
    assert explained is not None
    cancelled = "Pipeline a failed in state FAILED: org.apache.flink.JobCancellationException: x"
    assert "cancelled" in explained(cancelled)
    failed = (
        "Pipeline a failed in state FAILED: org.apache.flink.JobException: Recovery\n\tat a.b(c)\n"
        "Caused by: java.lang.Exception: Connection lost to tm-1\n\tat d.e(f)\n"
    )
    assert "java.lang.Exception: Connection lost to tm-1" in explained(failed)
    assert len(explained(failed).splitlines()) == 1


def test_waiting_in_place_leaves_room_below_the_checkpoint_time_out() -> None:
    """A bundle waits for its source and for the database, and two splits may do so in turn."""
    assert named("FlinkRunner").outage_budget * 2 * 2 < 600


def test_a_deferred_split_really_waits() -> None:
    """Flink floors to whole seconds what the SDK sends, which is a little less than asked for."""
    assert int(named("FlinkRunner").resume_seconds - 0.1) >= 1
