"""Options of a job on Flink: what is safe by default, and what is refused."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PortableOptions,
    SetupOptions,
)

from runners.flink.options import FlinkJobServerOptions, options_of, resumed
from runners.runner import RunnerUnavailable, named
from transforms.read.restriction import Restrictions

ENDPOINT = ("--job_endpoint", "somewhere:8099")
STREAM = (*ENDPOINT, "--streaming")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a local cluster."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def local(elsewhere: Path) -> Path:
    """What a local cluster has written."""
    folder = elsewhere / ".flink"
    folder.mkdir()
    written = {
        "flink_master": "localhost:8081",
        "job_endpoint": "localhost:8099",
        "worker_command": "/somewhere/worker.sh",
    }
    (folder / "cluster.json").write_text(json.dumps(written))
    return folder


def job(*flags: str) -> FlinkJobServerOptions:
    made: FlinkJobServerOptions = options_of(flags).view_as(FlinkJobServerOptions)
    return made


def portable(*flags: str) -> PortableOptions:
    return options_of(flags).view_as(PortableOptions)


def refusal(*flags: str) -> str:
    with pytest.raises(RunnerUnavailable) as caught:
        options_of(flags)
    (line,) = str(caught.value).splitlines()
    return line


class TestSafety:
    def test_a_stream_always_has_checkpoints_and_keeps_the_last(self) -> None:
        assert job(*STREAM).checkpointing_interval == 10_000
        assert job(*STREAM).retain_externalized_checkpoints_on_cancellation is True
        assert job(*STREAM).externalized_checkpoints_enabled is True, "or nothing is retained"

    def test_a_checkpoint_keeps_back_no_split_that_was_just_planned(self) -> None:
        assert job(*STREAM).finish_bundle_before_checkpointing is True
        assert job(*ENDPOINT).finish_bundle_before_checkpointing is None

    def test_an_interval_given_in_milliseconds_is_taken(self) -> None:
        assert job(*STREAM, "--checkpointing_interval=60000").checkpointing_interval == 60_000

    @pytest.mark.parametrize("interval", ["0", "-1"])
    def test_a_stream_without_checkpoints_is_refused(self, interval: str) -> None:
        line = refusal(*STREAM, f"--checkpointing_interval={interval}")
        assert line.startswith(f"--checkpointing_interval {interval}: ")
        assert "unread" in line

    def test_an_interval_that_looks_like_seconds_is_refused(self) -> None:
        assert "milliseconds" in refusal(*STREAM, "--checkpointing_interval", "10")

    @pytest.mark.parametrize("streaming", [(), ("--streaming",)])
    def test_ending_idle_sources_is_refused(self, streaming: tuple[str, ...]) -> None:
        line = refusal(*ENDPOINT, *streaming, "--shutdown_sources_after_idle_ms", "60000")
        assert line.startswith("--shutdown_sources_after_idle_ms ")

    def test_it_is_never_set_by_default(self) -> None:
        for flags in (ENDPOINT, STREAM):
            assert job(*flags).shutdown_sources_after_idle_ms is None

    def test_a_bounded_job_has_no_checkpoints(self) -> None:
        assert job(*ENDPOINT).checkpointing_interval is None

    def test_retries_that_a_bounded_job_would_not_get_are_refused(self) -> None:
        line = refusal(*ENDPOINT, "--number_of_execution_retries=3")
        assert line.startswith("--number_of_execution_retries ")
        assert "restart-strategy" in line

    @pytest.mark.parametrize("flag", ["--savepoint_path=/a", "--checkpointing_interval=9000"])
    def test_what_only_a_stream_takes_is_refused_for_a_bounded_job(self, flag: str) -> None:
        assert "--streaming" in refusal(*ENDPOINT, flag)

    def test_retries_of_a_stream_are_the_clusters(self) -> None:
        assert job(*STREAM).number_of_execution_retries is None


class TestResumption:
    @pytest.mark.parametrize(
        ("path", "made_by"),
        [
            ("file:/s/savepoint-05aee0-1a2b3c4d5e6f", "05aee0"),
            ("s3://b/savepoints/savepoint-05aee0-1a2b3c4d5e6f/", "05aee0"),
            ("/s/savepoint-05aee0-1a2b3c4d5e6f/_metadata", "05aee0"),
            (f"file:///c/{'0a' * 16}/chk-17", "0a" * 16),
            (f"file:///c/{'0a' * 16}/chk-17/_metadata", "0a" * 16),
            (f"/c/{'0a' * 16}", None),
            ("/s/renamed", None),
            ("/s/savepoint-05aee0-1a2b3c4d5e6f-copy", None),
            ("", None),
        ],
    )
    def test_the_name_of_a_savepoint_says_which_job_made_it(
        self, path: str, made_by: str | None
    ) -> None:
        found = resumed([*STREAM, "--savepoint_path", path])
        assert found is not None
        assert (found.given, found.job) == (f"--savepoint_path {path}", made_by)

    def test_without_one_there_is_nothing_to_go_on_from(self) -> None:
        assert resumed(STREAM) is None


class TestSubmission:
    def test_workers_end_with_what_started_them(self) -> None:
        for given in ((), ("--beam_plugin", "mine")):
            plugins = options_of([*ENDPOINT, *given]).view_as(SetupOptions).beam_plugins
            assert plugins == [*given[1:], "runners.flink.worker"]

    def test_without_a_job_server_it_says_what_to_do(self) -> None:
        line = refusal("--flink_master", "flink:8081")
        assert "--job_endpoint" in line
        assert "make flink-up" in line

    def test_the_local_cluster_is_the_default(self, local: Path) -> None:
        options = options_of(())
        assert options.view_as(FlinkRunnerOptions).flink_master == "localhost:8081"
        found = options.view_as(PortableOptions)
        assert found.job_endpoint == "localhost:8099"
        assert found.environment_type == "PROCESS"
        assert json.loads(found.environment_config) == {"command": "/somewhere/worker.sh"}

    def test_another_cluster_does_not_get_the_local_job_server(self, local: Path) -> None:
        assert "--job_endpoint" in refusal("--flink_master", "flink:8081")

    def test_another_job_server_does_not_get_the_local_workers(self, local: Path) -> None:
        found = portable(*ENDPOINT)
        assert (found.environment_type, found.environment_config) == (None, None)

    def test_a_given_environment_stays(self, local: Path) -> None:
        found = portable("--environment_type=EXTERNAL", "--environment_config=localhost:50000")
        assert found.environment_type == "EXTERNAL"
        assert found.environment_config == "localhost:50000"

    @pytest.mark.parametrize(
        "flag",
        ["--flink_submit_uber_jar", "--output_executable_path=a", "--flink_job_server_jar=a"],
    )
    def test_ways_around_the_job_server_are_refused(self, flag: str) -> None:
        assert flag.split("=")[0] in refusal(*ENDPOINT, flag)

    def test_a_worker_process_for_every_parallel_subtask(self) -> None:
        assert portable(*ENDPOINT, "--parallelism", "3").sdk_worker_parallelism == 3

    def test_a_given_number_of_worker_processes_stays(self) -> None:
        given = portable(*ENDPOINT, "--parallelism", "3", "--sdk_worker_parallelism", "1")
        assert int(given.sdk_worker_parallelism) == 1

    def test_a_job_server_that_is_not_there_is_one_line(self) -> None:
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
    with socket.create_server(("127.0.0.1", 0)) as job_server:
        endpoint = f"127.0.0.1:{job_server.getsockname()[1]}"
        with named("FlinkRunner").pipeline(["--job_endpoint", endpoint]) as pipeline:
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
    asked = named("FlinkRunner").resume_seconds
    assert int(asked - 0.1) >= 1
