"""Which of Beam's own flags each runner honours; the others are refused.

Beam has one list of flags for all runners, and a runner silently ignores what is not for it. Some
that it does honour make the counts wrong: with ``--direct_running_mode multi_processing``
everything is read, and the summary says that nothing was.

Flags that a user's own program adds (a ``PipelineOptions`` class) are not judged here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence

from apache_beam.options.pipeline_options import DebugOptions, PipelineOptions

from runners.beam.private import flag_parser, flags_of, option_classes
from runners.flink_flags import FlinkJobServerOptions
from runners.runner import RunnerUnavailable

# Below, a flag is named as Beam's code names it (argparse's ``dest``).

_EVERYWHERE = frozenset(
    {
        # The SDK obeys these while the pipeline is built.
        *("streaming", "pipeline_type_check", "runtime_type_check"),
        *("performance_runtime_type_check", "type_check_additional", "disable_beartype"),
        *("exclude_infer_dataclass_field_type", "allow_non_deterministic_key_coders"),
        *("allow_unsafe_triggers", "force_cloudpickle_deterministic_coders"),
        *("update_compatibility_version", "gbek"),
    }
)
_PROFILER = frozenset({"profile_cpu", "profile_memory", "profile_location", "profile_sample_rate"})
_JOB_SERVER = frozenset({"job_endpoint", "artifact_endpoint", "job_server_timeout"})
_PACKAGES = frozenset(
    {
        *("requirements_file", "requirements_cache", "requirements_cache_only_sources"),
        *("setup_file", "extra_packages", "files_to_stage", "sdk_location", "beam_plugins"),
        "save_main_session",
    }
)
_FLINK = frozenset(
    {
        *("flink_master", "parallelism", "max_parallelism", "job_name", "experiments"),
        *("environment_type", "environment_config", "environment_options"),
        *("environment_cache_millis", "sdk_worker_parallelism"),
        *("default_sdk_harness_log_level", "sdk_harness_log_level_overrides"),
        *("max_cache_memory_usage_mb", "element_processing_timeout_minutes"),
        *("prebuild_sdk_container_engine", "prebuild_sdk_container_base_image"),
        "docker_registry_push_url",
        # The job server's own (runners/flink_flags.py).
        *("checkpointing_interval", "checkpoint_timeout_millis", "checkpointing_mode"),
        *("min_pause_between_checkpoints", "num_concurrent_checkpoints"),
        *("number_of_execution_retries", "execution_retry_delay"),
        *("max_bundle_size", "max_bundle_time_mills", "latency_tracking_interval"),
        *("auto_watermark_interval", "savepoint_path", "allow_non_restored_state"),
        *("state_backend", "state_backend_storage_path", "object_reuse", "disable_metrics"),
        *("retain_externalized_checkpoints_on_cancellation",),
        *("finish_bundle_before_checkpointing",),
        # runners/flink/options.py refuses these and says why.
        *("shutdown_sources_after_idle_ms", "flink_submit_uber_jar", "flink_job_server_jar"),
        "output_executable_path",
    }
)

HONOURED: Mapping[str, frozenset[str]] = {
    "DirectRunner": _EVERYWHERE | _PROFILER,
    "PrismRunner": _EVERYWHERE
    | _JOB_SERVER
    | {"prism_location", "prism_log_level", "environment_type"}
    | {"experiments", "max_cache_memory_usage_mb"},
    "FlinkRunner": _EVERYWHERE | _PROFILER | _JOB_SERVER | _PACKAGES | _FLINK,
}
"""For each runner, the flags that have their effect there."""

_EXPERIMENTS = frozenset({"beam_fn_api", "data_buffer_time_limit_ms", "state_cache_size"})
"""Those that PrismRunner honours. Flink's job server and workers each have their own list."""

_BAD_EXPERIMENTS: Mapping[str, str] = {
    "use_loopback_process_worker": "would run its worker in a process whose counts are lost",
    "pre_optimize": "would cut the pipeline into other stages than those that are safe",
}

_NO_EFFECT = "does not use it; leave this out"
_ONE_PROCESS = (
    "reads in one process, by one thread, and counts there; leave this out, or use --runner "
    "FlinkRunner with --parallelism"
)
_NO_PACKAGES = (
    "runs the steps in this process, with what is installed here; install the package, and leave "
    "this out"
)
_SERVER_ELSEWHERE = (
    "does not start a job server of Beam's; leave this out, or give it to the one that you start"
)
_NOT_BEAMS_S3 = (
    "reads S3 through boto3; leave this out, and use --s3_endpoint_url and the usual AWS variables and "
    "files (AWS_ACCESS_KEY_ID, AWS_PROFILE, …)"
)
_PARALLELISM = (
    "gets its number of workers from --parallelism and --sdk_worker_parallelism; use these"
)
_IMAGE = "takes the workers' image from --environment_config, with --environment_type DOCKER"
_INSTEAD: Mapping[str, str] = {
    **dict.fromkeys(
        ("artifacts_dir", "job_port", "artifact_port", "expansion_port", "jar_cache_dir"),
        _SERVER_ELSEWHERE,
    ),
    **dict.fromkeys(("job_server_java_launcher", "job_server_jvm_properties"), _SERVER_ELSEWHERE),
    **dict.fromkeys(
        ("s3_access_key_id", "s3_secret_access_key", "s3_session_token", "s3_region_name"),
        _NOT_BEAMS_S3,
    ),
    **dict.fromkeys(("s3_api_version", "s3_verify", "s3_disable_ssl"), _NOT_BEAMS_S3),
    "no_wait_until_finish": "waits for the end of the run; leave this out, or use --runner "
    "FlinkRunner with --detach",
    "auto_unique_labels": "needs the same labels in every run, and this invents new ones; leave "
    "this out, and give each step its own label",
    "type_check_strictness": "runs steps of Beam without type hints; leave this out",
    "resource_hints": "gives every step the same resources; leave this out",
    "pickle_library": "accepts only pickles of Beam's default, cloudpickle; leave this out",
}
"""What to do about a flag that no runner honours: a sentence whose subject is the runner."""

_NO_PACKAGES_HERE = {
    **dict.fromkeys(_PACKAGES, _NO_PACKAGES),
    "save_main_session": "runs the steps in this process and does not need a session; leave this out",
}
_INSTEAD_OF: Mapping[str, Mapping[str, str]] = {
    "DirectRunner": {
        "direct_running_mode": _ONE_PROCESS,
        "direct_num_workers": _ONE_PROCESS,
        "direct_runner_bundle_repeat": "would do everything more than once; leave this out",
        **_NO_PACKAGES_HERE,
    },
    "PrismRunner": _NO_PACKAGES_HERE,
    "FlinkRunner": {
        **dict.fromkeys(("direct_num_workers", "num_workers", "max_num_workers"), _PARALLELISM),
        **dict.fromkeys(("sdk_container_image", "worker_harness_container_image"), _IMAGE),
    },
}
"""What to do about a flag that one runner does not honour."""


def refuse_ignored(runner: str, flags: Sequence[str]) -> None:
    """Refuse Beam flags that would have no effect, or a bad one, with this runner.

    A flag whose value is Beam's own default changes nothing and is accepted.

    Args:
        runner: Its name, one of ``HONOURED``.
        flags: Beam's flags, as on a command line.

    Raises:
        RunnerUnavailable: Naming each of them and what to do. Values are not repeated, because
            some are secrets.
    """
    refused: dict[str, list[str]] = {}
    for flag, advice in (*_ignored(runner, flags), *_experiments(runner, flags)):
        refused.setdefault(advice, []).append(flag)
    if refused:
        raise RunnerUnavailable(
            "; ".join(f"{', '.join(names)}: {runner} {advice}" for advice, names in refused.items())
        )


def _ignored(runner: str, flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each flag that is not honoured, with a sentence about it whose subject is the runner."""
    for dest, flag in _changing(flags).items():
        if dest in HONOURED[runner]:
            continue
        others = [name for name, honoured in HONOURED.items() if dest in honoured]
        advice = _INSTEAD_OF[runner].get(dest) or _INSTEAD.get(dest)
        if advice is None:
            advice = _NO_EFFECT + (f", or use --runner {' or '.join(others)}" if others else "")
        yield flag, advice


def _changing(flags: Sequence[str]) -> dict[str, str]:
    """By ``dest``, the flags of Beam's whose value is not Beam's default."""
    if not flags:
        return {}
    parser = flag_parser(
        options
        for options in option_classes()
        if options is FlinkJobServerOptions or options.__module__.startswith("apache_beam.")
    )
    try:
        values, _ = parser.parse_known_args(list(flags))
    except argparse.ArgumentError as error:
        raise RunnerUnavailable(str(error)) from error
    names = {flag.split("=", 1)[0] for flag in flags}
    return {
        action.dest: name
        for action in flags_of(parser)
        for name in action.option_strings
        if name in names and getattr(values, action.dest) != action.default
    }


def _experiments(runner: str, flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each experiment that would do harm or has no effect, as ``_ignored`` yields a flag."""
    if "experiments" not in HONOURED[runner]:
        return
    experiments = PipelineOptions(list(flags)).view_as(DebugOptions).experiments or []
    for name in dict.fromkeys(experiment.split("=", 1)[0] for experiment in experiments):
        if name in _BAD_EXPERIMENTS:
            yield f"--experiments {name}", f"{_BAD_EXPERIMENTS[name]}; leave this out"
        elif runner == "PrismRunner" and name not in _EXPERIMENTS:
            yield f"--experiments {name}", _NO_EFFECT
