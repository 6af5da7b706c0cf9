"""Beam flags that the runner ignores, or that would make its counts wrong, are refused."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import command, ingest
from runners.beam.flags import HONOURED, refuse_ignored
from runners.beam.private import flag_parser, flags_of, option_classes
from runners.flink_flags import FlinkJobServerOptions
from runners.runner import NAMES, RunnerUnavailable, named

D, P, F = "DirectRunner", "PrismRunner", "FlinkRunner"

REFUSED = [
    (D, "--direct_num_workers=2", "--runner FlinkRunner with --parallelism"),
    (D, "--direct_num_workers=0", "--runner FlinkRunner with --parallelism"),
    (D, "--direct_running_mode=multi_processing", "--runner FlinkRunner with --parallelism"),
    (D, "--direct_running_mode=multi_threading", "--runner FlinkRunner with --parallelism"),
    (D, "--direct_embed_docker_python", "leave this out"),
    (D, "--direct_runner_bundle_repeat=3", "leave this out"),
    (D, "--no_direct_runner_use_stacked_bundle", "leave this out"),
    (D, '--direct_test_splits={"a": {}}', "leave this out"),
    (D, "--parallelism=2", "use --runner FlinkRunner"),
    (D, "--flink_master=localhost:8081", "use --runner FlinkRunner"),
    (D, "--checkpointing_interval=1000", "use --runner FlinkRunner"),
    (D, "--savepoint_path=/tmp/s", "use --runner FlinkRunner"),
    (D, "--job_endpoint=localhost:8099", "use --runner PrismRunner or FlinkRunner"),
    (D, "--environment_type=DOCKER", "use --runner PrismRunner or FlinkRunner"),
    (D, "--prism_location=/opt/prism", "use --runner PrismRunner"),
    (D, "--requirements_file=r.txt", "install the package"),
    (D, "--setup_file=./setup.py", "install the package"),
    (D, "--extra_package=a.whl", "install the package"),
    (D, "--save_main_session", "leave this out"),
    (D, "--experiments=use_sdf_read", "use --runner PrismRunner or FlinkRunner"),
    (D, "--number_of_worker_harness_threads=4", "leave this out"),
    (D, "--no_wait_until_finish", "--detach"),
    (D, "--region=europe-west1", "leave this out"),
    (D, "--project=p", "leave this out"),
    (D, "--temp_location=gs://b/t", "leave this out"),
    (D, "--max_num_workers=3", "leave this out"),
    (D, "--s3_access_key_id=AKIA", "AWS_ACCESS_KEY_ID"),
    (D, "--spark_master_url=local", "leave this out"),
    (P, "--direct_num_workers=2", "leave this out"),
    (P, "--parallelism=2", "use --runner FlinkRunner"),
    (P, "--sdk_worker_parallelism=2", "use --runner FlinkRunner"),
    (P, "--setup_file=./setup.py", "install the package"),
    (P, "--environment_config={}", "use --runner FlinkRunner"),
    (P, "--prism_log_kind=json", "leave this out"),
    (P, "--prism_beam_version_override=v2.70.0", "leave this out"),
    (P, "--job_port=8073", "leave this out"),
    (P, "--experiments=use_loopback_process_worker", "leave this out"),
    (P, "--experiments=enable_data_sampling", "leave this out"),
    (P, "--profile_cpu", "use --runner DirectRunner or FlinkRunner"),
    (F, "--direct_num_workers=2", "--parallelism"),
    (F, "--direct_running_mode=multi_processing", "leave this out"),
    (F, "--max_num_workers=2", "--parallelism"),
    (F, "--sdk_container_image=i", "--environment_config"),
    (F, "--flink_version=1.19", "leave this out"),
    (F, "--job_port=8099", "leave this out"),
    (F, "--artifacts_dir=/tmp/a", "leave this out"),
    (F, "--job_server_jvm_properties=-Xmx1g", "leave this out"),
    (F, "--prism_location=/opt/prism", "use --runner PrismRunner"),
    (F, "--experiments=use_loopback_process_worker", "leave this out"),
    (F, "--auto_unique_labels", "leave this out"),
    (F, "--region=europe-west1", "leave this out"),
]


@pytest.mark.parametrize(("runner", "flag", "advice"), REFUSED)
def test_a_flag_that_the_runner_cannot_honour_names_flag_runner_and_the_way_out(
    runner: str, flag: str, advice: str
) -> None:
    with pytest.raises(RunnerUnavailable) as raised:
        refuse_ignored(runner, [flag])
    (line,) = str(raised.value).splitlines()
    assert line.startswith(flag.split("=")[0])
    assert f" {runner} " in line
    assert advice in line


@pytest.mark.parametrize(
    ("runner", "flags"),
    [
        (D, []),
        (D, ["--direct_running_mode", "in_memory", "--direct_num_workers=1"]),  # as without them
        (D, ["--runtime_type_check", "--profile_cpu", "--profile_location", "/tmp/p"]),
        (P, ["--prism_log_level", "error", "--environment_type=LOOPBACK"]),
        (P, ["--job_endpoint=localhost:8073", "--experiments=data_buffer_time_limit_ms=5"]),
        (F, ["--streaming", "--job_name=n", "--parallelism=2", "--max_parallelism", "16"]),
        (F, ["--environment_type=PROCESS", '--environment_config={"command": "/w.sh"}']),
        (F, ["--extra_package=a.whl", "--save_main_session", "--checkpointing_interval=1000"]),
    ],
)
def test_a_flag_that_the_runner_honours_passes(runner: str, flags: list[str]) -> None:
    refuse_ignored(runner, flags)


def test_several_are_one_line_and_values_are_not_repeated() -> None:
    with pytest.raises(RunnerUnavailable) as raised:
        refuse_ignored(D, ["--direct_num_workers", "2", "--direct_running_mode", "multi_threading"])
    assert str(raised.value).startswith("--direct_num_workers, --direct_running_mode: DirectRunner")
    with pytest.raises(RunnerUnavailable) as raised:
        refuse_ignored(D, ["--s3_secret_access_key", "hush", "--region", "eu"])
    assert "--region: " in str(raised.value)
    assert "hush" not in str(raised.value)


class Mine(PipelineOptions):
    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--my_own_flag")


@pytest.mark.parametrize("runner", NAMES)
def test_flags_of_the_users_own_program_are_not_judged(runner: str) -> None:
    refuse_ignored(runner, ["--my_own_flag=1"])


def test_every_flag_that_is_honoured_is_one_of_beams() -> None:
    beams = [each for each in option_classes() if each.__module__.startswith("apache_beam.")]
    declared = {flag.dest for flag in flags_of(flag_parser([*beams, FlinkJobServerOptions]))}
    assert frozenset().union(*HONOURED.values()) <= declared
    assert set(HONOURED) == set(NAMES)


@pytest.mark.parametrize("runner", NAMES)
def test_every_runner_refuses_them_before_it_does_anything(runner: str) -> None:
    with (
        pytest.raises(RunnerUnavailable, match=rf"^--region: {runner} "),
        named(runner).pipeline(["--region=europe-west1"]),
    ):
        pass


def test_a_run_with_such_flags_is_one_line_exit_2_and_makes_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"id": 1}\n')
    flags = ["--direct_num_workers", "2", "--direct_running_mode", "multi_processing"]
    argv = ["--source", f"{tmp_path}/in.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db"]
    argv += ["--table", "t", "--key", "id", *flags]
    assert command.run("ingest", ingest.main, argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ingest: --direct_num_workers, --direct_running_mode: DirectRunner ")
    assert not (tmp_path / "a.db").exists()
