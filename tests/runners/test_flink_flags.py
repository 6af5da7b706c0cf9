"""Flags of Beam's Flink job server are known without one."""

from __future__ import annotations

from apache_beam.options.pipeline_options import PipelineOptions

from runners.flink_flags import FlinkJobServerOptions


def test_a_flag_has_the_type_that_the_job_server_gives_it() -> None:
    flags = ["--checkpointing_interval=500", "--savepoint_path=/s", "--object_reuse"]
    options = PipelineOptions(flags).view_as(FlinkJobServerOptions)
    assert options.checkpointing_interval == 500
    assert options.savepoint_path == "/s"
    assert options.object_reuse is True


def test_a_flag_that_is_not_given_is_left_to_the_job_server() -> None:
    values = PipelineOptions([]).view_as(FlinkJobServerOptions).get_all_options(current_only=True)
    assert set(values.values()) == {None}
