"""The options of a job on Flink, and the defaults that make it safe."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)

from runners.flink.local.cluster import FOLDER, Endpoints, endpoints
from runners.flink.worker import MODULE
from runners.runner import Resumption, RunnerUnavailable

CHECKPOINTING_MILLISECONDS = 10_000
_LEAST_MILLISECONDS = 500

# How Flink names its checkpoints and savepoints: with the id of their job, or its first digits.
_MADE_BY = re.compile(
    r"(?:^|/)(?:([0-9a-f]{32})/chk-\d+|savepoint-([0-9a-f]{6})-[0-9a-f]+)(?:/_metadata)?/*$"
)


class FlinkJobServerOptions(PipelineOptions):
    """Options of Beam's Flink job server that a Python program does not know by itself.

    It asks the job server for them (apache_beam/runners/portability/portable_runner.py); here
    they are known before, so that a typo is an error (Beam's FlinkPipelineOptions.java).
    """

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        for name in (
            "checkpointing_interval",  # milliseconds
            "checkpoint_timeout_millis",
            "min_pause_between_checkpoints",  # milliseconds
            "num_concurrent_checkpoints",
            "shutdown_sources_after_idle_ms",
            "number_of_execution_retries",
            "execution_retry_delay",  # milliseconds
            "max_bundle_size",
            "max_bundle_time_mills",
            "latency_tracking_interval",
            "auto_watermark_interval",
        ):
            add(f"--{name}", type=int)
        for name in ("checkpointing_mode", "savepoint_path"):
            add(f"--{name}")
        for name in ("state_backend", "state_backend_storage_path"):
            add(f"--{name}")
        for name in (
            "allow_non_restored_state",
            "externalized_checkpoints_enabled",
            "retain_externalized_checkpoints_on_cancellation",
            "finish_bundle_before_checkpointing",
            "disable_metrics",
            "object_reuse",
        ):
            add(f"--{name}", action="store_true", default=None)
        # Not the job server's: how this program knows its job again (runners/flink/runner.py).
        add("--sluice_submission", help=argparse.SUPPRESS)


def options_of(flags: Sequence[str]) -> PipelineOptions:
    """Beam's options for a job on Flink, made of the flags and of what is safe without them.

    ``--flink_master``, ``--job_endpoint`` and the environment of the workers are by default
    those of the local cluster in ``.flink/``, if there is one.

    Raises:
        RunnerUnavailable: There is no job server to submit to, or an option would lose data.
    """
    options = PipelineOptions(list(flags))
    _submission(options, endpoints(FOLDER))
    job = options.view_as(FlinkJobServerOptions)
    if job.shutdown_sources_after_idle_ms is not None:
        raise RunnerUnavailable(
            "--shutdown_sources_after_idle_ms ends a job as if it were done while splits are "
            "still unread; leave it out: a run without --streaming ends by itself"
        )
    if options.view_as(StandardOptions).streaming:
        _streaming(job)
    else:
        _bounded(job)
    flink, portable = options.view_as(FlinkRunnerOptions), options.view_as(PortableOptions)
    if flink.parallelism > 0 and not any(
        each.split("=", 1)[0] == "--sdk_worker_parallelism" for each in flags
    ):
        # Beam's default is one process, hence one GIL, for all slots of a TaskManager.
        portable.sdk_worker_parallelism = flink.parallelism
    setup = options.view_as(SetupOptions)
    setup.beam_plugins = [*(setup.beam_plugins or ()), MODULE]
    return options


def resumed(flags: Sequence[str]) -> Resumption | None:
    """What ``--savepoint_path`` names, if it is given."""
    path = PipelineOptions(list(flags)).view_as(FlinkJobServerOptions).savepoint_path
    if path is None:
        return None
    found = _MADE_BY.search(path)
    return Resumption(f"--savepoint_path {path}", (found[1] or found[2]) if found else None)


def _submission(options: PipelineOptions, local: Endpoints | None) -> None:
    flink, portable = options.view_as(FlinkRunnerOptions), options.view_as(PortableOptions)
    if flink.flink_submit_uber_jar or portable.output_executable_path or flink.flink_job_server_jar:
        raise RunnerUnavailable(
            "jobs are submitted to a running job server (--job_endpoint host:port): leave out "
            "--flink_submit_uber_jar, --output_executable_path and --flink_job_server_jar"
        )
    asked = flink.flink_master if flink.flink_master != "[auto]" else None
    if portable.job_endpoint is None:
        if local is None or asked not in (None, local.flink_master):
            raise RunnerUnavailable(
                "FlinkRunner needs Beam's Flink job server: give --job_endpoint host:port "
                "(docs/flink.md says how to run one), or start a local cluster with `make flink-up`"
            )
        portable.job_endpoint = local.job_endpoint
    if local is None or portable.job_endpoint != local.job_endpoint:
        return
    flink.flink_master = asked or local.flink_master
    named = portable.environment_config or portable.environment_options
    if portable.environment_type in (None, "PROCESS") and not named:
        portable.environment_type = "PROCESS"
        portable.environment_config = json.dumps({"command": local.worker_command})


def _streaming(job: FlinkJobServerOptions) -> None:
    interval = job.checkpointing_interval
    if interval is None:
        job.checkpointing_interval = CHECKPOINTING_MILLISECONDS
    elif interval <= 0:
        raise RunnerUnavailable(
            f"--checkpointing_interval {interval}: without checkpoints Flink ends a stream while "
            f"splits are still unread; give milliseconds (default: {CHECKPOINTING_MILLISECONDS})"
        )
    elif interval < _LEAST_MILLISECONDS:
        raise RunnerUnavailable(
            f"--checkpointing_interval {interval} is in milliseconds: "
            f"give {_LEAST_MILLISECONDS} or more (default: {CHECKPOINTING_MILLISECONDS})"
        )
    # The second alone keeps nothing (Beam's FlinkExecutionEnvironments.java).
    job.externalized_checkpoints_enabled = True
    job.retain_externalized_checkpoints_on_cancellation = True
    # Else what a bundle emits that a checkpoint ends is kept back until the next bundle. Where
    # splits are planned there is none: a job whose first bundle meets a checkpoint never reads
    # (Beam's DoFnOperator.snapshotState).
    job.finish_bundle_before_checkpointing = True


def _bounded(job: FlinkJobServerOptions) -> None:
    for name in ("checkpointing_interval", "savepoint_path"):
        if getattr(job, name) is not None:
            raise RunnerUnavailable(
                f"--{name} is for --streaming: a bounded run resumes from the ledger"
            )
    if job.number_of_execution_retries is not None:
        # Beam's FlinkExecutionEnvironments.java hands it to streaming jobs only.
        raise RunnerUnavailable(
            "--number_of_execution_retries has no effect on a bounded job; give the cluster's "
            "JobManager a restart-strategy (docs/flink.md)"
        )
