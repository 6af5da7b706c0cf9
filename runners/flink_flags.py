"""Flags of Beam's Flink job server, which Beam's Python code does not know."""

from __future__ import annotations

import argparse

from apache_beam.options.pipeline_options import PipelineOptions


class FlinkJobServerOptions(PipelineOptions):
    """Options of Beam's Flink job server (Beam's FlinkPipelineOptions.java).

    Beam asks the job server for them (apache_beam/runners/portability/portable_runner.py). Here
    they are declared, so that a typo is an error before anything is submitted, and so that giving
    one to another runner is refused with the name of the runner that takes it.
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
        for name in (
            "checkpointing_mode",
            "savepoint_path",
            "state_backend",
            "state_backend_storage_path",
        ):
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
        # Not an option of the job server: how this program recognizes its job
        # (runners/flink/submission.py).
        add("--sluice_submission", help=argparse.SUPPRESS)
