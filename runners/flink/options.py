"""The options of a job on Flink, with the defaults that make it safe."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
)

from runners.flink.endpoints import FOLDER, Endpoints, endpoints
from runners.flink.rest import FlinkRest, FlinkUnreachable
from runners.flink.worker import MODULE
from runners.flink_flags import FlinkJobServerOptions
from runners.runner import Resumption, RunnerUnavailable

CHECKPOINTING_MILLISECONDS = 10_000
_LEAST_MILLISECONDS = 500

_ENVIRONMENTS = ("DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK")
_MODES = ("EXACTLY_ONCE", "AT_LEAST_ONCE")

# Flink names checkpoints and savepoints after the id of their job, or its first digits.
_MADE_BY = re.compile(
    r"(?:^|/)(?:([0-9a-f]{32})/chk-\d+|savepoint-([0-9a-f]{6})-[0-9a-f]+)(?:/_metadata)?/*$"
)


def options_of(flags: Sequence[str]) -> PipelineOptions:
    """Beam's options for a job on Flink: the flags, and safe values for what they leave open.

    ``--flink_master``, ``--job_endpoint`` and the environment of the workers are by default
    those of the local cluster in ``.flink/``, if one was started.

    Raises:
        RunnerUnavailable: No job server is known, or an option would lose data.
    """
    options = PipelineOptions(list(flags))
    _submission(options, endpoints(FOLDER))
    check_environment(options.view_as(PortableOptions))
    job = options.view_as(FlinkJobServerOptions)
    _check_mode(job)
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
        flag.split("=", 1)[0] == "--sdk_worker_parallelism" for flag in flags
    ):
        # Beam's default is one process, hence one GIL, for all slots of a TaskManager.
        portable.sdk_worker_parallelism = flink.parallelism
    setup = options.view_as(SetupOptions)
    setup.beam_plugins = [MODULE, *(setup.beam_plugins or ())]
    return options


def resumed(flags: Sequence[str]) -> Resumption | None:
    """The state that ``--savepoint_path`` names; None if it is not given."""
    path = PipelineOptions(list(flags)).view_as(FlinkJobServerOptions).savepoint_path
    if path is None:
        return None
    match = _MADE_BY.search(path)
    return Resumption(f"--savepoint_path {path}", (match[1] or match[2]) if match else None)


def _submission(options: PipelineOptions, local: Endpoints | None) -> None:
    flink, portable = options.view_as(FlinkRunnerOptions), options.view_as(PortableOptions)
    if flink.flink_submit_uber_jar or portable.output_executable_path or flink.flink_job_server_jar:
        raise RunnerUnavailable(
            "a job is submitted to a running job server (--job_endpoint host:port): leave out "
            "--flink_submit_uber_jar, --output_executable_path and --flink_job_server_jar"
        )
    master = None if flink.flink_master == "[auto]" else _host_and_port(flink.flink_master)
    if master is not None:
        flink.flink_master = master
    if portable.job_endpoint is None:
        if local is None or master not in (None, local.flink_master):
            raise RunnerUnavailable(
                "FlinkRunner needs Beam's Flink job server: give --job_endpoint host:port "
                "(docs/flink.md says how to run one), or start a local cluster with `make flink-up`"
            )
        portable.job_endpoint = local.job_endpoint
    if local is None or portable.job_endpoint != local.job_endpoint:
        return
    flink.flink_master = master or local.flink_master
    configured = portable.environment_config or portable.environment_options
    if portable.environment_type in (None, "PROCESS") and not configured:
        portable.environment_type = "PROCESS"
        portable.environment_config = json.dumps({"command": local.worker_command})


def _host_and_port(master: str) -> str:
    """``--flink_master`` as the job server takes it: without ``http://``, which Flink's pages have.

    Raises:
        RunnerUnavailable: It is no address of a JobManager.
    """
    if master in ("[local]", "[collection]"):
        raise RunnerUnavailable(
            f"--flink_master {master} would run the job inside the job server; give host:port of a "
            "JobManager, or start a local cluster with `make flink-up`"
        )
    try:
        address = FlinkRest(master).address
    except FlinkUnreachable as error:
        raise RunnerUnavailable(str(error)) from error
    scheme, _, place = address.partition("://")
    if "/" in place:
        raise RunnerUnavailable(
            f"--flink_master {master}: the job server needs host:port without a path"
        )
    # The job server strips the scheme; whoever asks the REST API needs to know of https.
    return address if scheme == "https" else place


def check_environment(workers: PortableOptions) -> None:
    """Refuse workers that could not be started, before anything is asked.

    Raises:
        RunnerUnavailable: ``--environment_type`` or ``--environment_config`` is wrong.
    """
    kind, config = workers.environment_type, workers.environment_config
    if kind is None:
        return
    if kind not in _ENVIRONMENTS:
        raise RunnerUnavailable(f"--environment_type {kind}: use one of {', '.join(_ENVIRONMENTS)}")
    if kind == "EXTERNAL":
        pool = workers.lookup_environment_option("external_service_address") or config
        if not _is_place(pool or ""):
            raise RunnerUnavailable(
                "--environment_type EXTERNAL needs --environment_config host:port, where the worker "
                f"pools listen{f', not {pool}' if pool else ''}"
            )
    if (
        kind == "PROCESS"
        and not workers.lookup_environment_option("process_command")
        and not _has_command(config)
    ):
        raise RunnerUnavailable(
            "--environment_type PROCESS needs --environment_config "
            """'{"command": "/path/of/a/program"}', the program that starts a worker"""
        )


def _is_place(text: str) -> bool:
    if text.startswith("{"):
        with suppress(ValueError):
            text = str(json.loads(text).get("url", ""))
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 1 << 16


def _has_command(config: str | None) -> bool:
    try:
        decoded = json.loads(config or "")
    except ValueError:
        return False
    return isinstance(decoded, dict) and bool(decoded.get("command"))


def _check_mode(job: FlinkJobServerOptions) -> None:
    if job.checkpointing_mode not in (None, *_MODES):
        raise RunnerUnavailable(
            f"--checkpointing_mode {job.checkpointing_mode}: use one of {', '.join(_MODES)}"
        )


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
    # The second option alone keeps nothing (Beam's FlinkExecutionEnvironments.java).
    job.externalized_checkpoints_enabled = True
    job.retain_externalized_checkpoints_on_cancellation = True
    # Otherwise, what is emitted by a bundle that a checkpoint ends is held back until the next
    # bundle. Where splits are planned no other bundle comes, so a job whose first bundle meets a
    # checkpoint would never read (Beam's DoFnOperator.snapshotState).
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
