"""Options of a job on Flink: what is safe by default, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PortableOptions,
    SetupOptions,
)

from runners.flink.options import options_of, resumed
from runners.flink_flags import FlinkJobServerOptions
from runners.runner import RunnerUnavailable

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
    options: FlinkJobServerOptions = options_of(flags).view_as(FlinkJobServerOptions)
    return options


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

    @pytest.mark.parametrize("mode", ["NONSENSE", "exactly_once", ""])
    def test_a_checkpointing_mode_that_flink_does_not_have_is_refused(self, mode: str) -> None:
        line = refusal(*STREAM, f"--checkpointing_mode={mode}")
        assert "EXACTLY_ONCE, AT_LEAST_ONCE" in line
        assert job(*STREAM, "--checkpointing_mode=AT_LEAST_ONCE").checkpointing_mode


class TestEnvironment:
    @pytest.mark.parametrize("kind", ["NONSENSE", "docker", ""])
    def test_a_kind_that_beam_does_not_have_is_refused(self, kind: str) -> None:
        line = refusal(*ENDPOINT, f"--environment_type={kind}")
        assert "DOCKER, PROCESS, EXTERNAL, LOOPBACK" in line

    @pytest.mark.parametrize(
        "flags",
        [
            ("EXTERNAL",),
            ("EXTERNAL", "--environment_config=pool"),
            ("EXTERNAL", "--environment_config=pool:port"),
            ("EXTERNAL", "--environment_config={}"),
            ("EXTERNAL", "--environment_options=other=x"),
            ("PROCESS",),
            ("PROCESS", "--environment_config=/opt/boot.sh"),
            ("PROCESS", "--environment_config={}"),
            ("PROCESS", '--environment_config={"command": ""}'),
        ],
    )
    def test_workers_that_nothing_can_start_are_refused(self, flags: tuple[str, ...]) -> None:
        line = refusal(*ENDPOINT, "--environment_type", *flags)
        assert f"--environment_type {flags[0]} needs --environment_config" in line

    @pytest.mark.parametrize(
        "flags",
        [
            ("DOCKER",),
            ("LOOPBACK",),
            ("EXTERNAL", "--environment_config=pool:50000"),
            ("EXTERNAL", '--environment_config={"url": "pool:50000"}'),
            ("EXTERNAL", "--environment_options=external_service_address=pool:50000"),
            ("PROCESS", '--environment_config={"command": "/b"}'),
            ("PROCESS", "--environment_options=process_command=/b"),
        ],
    )
    def test_workers_that_can_be_started_are_taken(self, flags: tuple[str, ...]) -> None:
        assert portable(*ENDPOINT, "--environment_type", *flags).environment_type == flags[0]


class TestMaster:
    @pytest.mark.parametrize(
        ("master", "taken"),
        [
            ("http://flink:8081", "flink:8081"),
            ("http://flink:8081/", "flink:8081"),
            ("flink", "flink:8081"),
            ("https://flink", "https://flink:443"),
        ],
    )
    def test_it_may_be_copied_from_the_browser(self, master: str, taken: str) -> None:
        options = options_of([*ENDPOINT, "--flink_master", master])
        assert options.view_as(FlinkRunnerOptions).flink_master == taken

    @pytest.mark.parametrize("master", ["ftp://a:1", "a:port", "http://a/flink", "[local]"])
    def test_what_the_job_server_does_not_understand_is_refused(self, master: str) -> None:
        assert refusal(*ENDPOINT, "--flink_master", master).startswith(f"--flink_master {master}")


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
        state = resumed([*STREAM, "--savepoint_path", path])
        assert state is not None
        assert (state.option, state.job) == (f"--savepoint_path {path}", made_by)

    def test_without_one_there_is_nothing_to_go_on_from(self) -> None:
        assert resumed(STREAM) is None


class TestSubmission:
    def test_workers_end_with_what_started_them(self) -> None:
        for flags in ((), ("--beam_plugin", "mine")):
            plugins = options_of([*ENDPOINT, *flags]).view_as(SetupOptions).beam_plugins
            assert plugins == ["runners.flink.worker", *flags[1:]]

    def test_without_a_job_server_it_says_what_to_do(self) -> None:
        line = refusal("--flink_master", "flink:8081")
        assert "--job_endpoint" in line
        assert "make flink-up" in line

    def test_the_local_cluster_is_the_default(self, local: Path) -> None:
        options = options_of(())
        assert options.view_as(FlinkRunnerOptions).flink_master == "localhost:8081"
        workers = options.view_as(PortableOptions)
        assert workers.job_endpoint == "localhost:8099"
        assert workers.environment_type == "PROCESS"
        assert json.loads(workers.environment_config) == {"command": "/somewhere/worker.sh"}

    def test_another_cluster_does_not_get_the_local_job_server(self, local: Path) -> None:
        assert "--job_endpoint" in refusal("--flink_master", "flink:8081")

    def test_another_job_server_does_not_get_the_local_workers(self, local: Path) -> None:
        workers = portable(*ENDPOINT)
        assert (workers.environment_type, workers.environment_config) == (None, None)

    def test_a_given_environment_stays(self, local: Path) -> None:
        workers = portable("--environment_type=EXTERNAL", "--environment_config=localhost:50000")
        assert workers.environment_type == "EXTERNAL"
        assert workers.environment_config == "localhost:50000"

    @pytest.mark.parametrize(
        "flag",
        ["--flink_submit_uber_jar", "--output_executable_path=a", "--flink_job_server_jar=a"],
    )
    def test_ways_around_the_job_server_are_refused(self, flag: str) -> None:
        assert flag.split("=")[0] in refusal(*ENDPOINT, flag)

    def test_a_worker_process_for_every_parallel_subtask(self) -> None:
        assert portable(*ENDPOINT, "--parallelism", "3").sdk_worker_parallelism == 3

    def test_a_given_number_of_worker_processes_stays(self) -> None:
        workers = portable(*ENDPOINT, "--parallelism", "3", "--sdk_worker_parallelism", "1")
        assert int(workers.sdk_worker_parallelism) == 1
