"""What must be true of a command line whose pipeline runs on a cluster."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from pipelines.running import cluster
from runners.runner import named
from transforms.errors import ConfigError

FLINK, DIRECT = named("FlinkRunner"), named("DirectRunner")


def detached(**changes: Any) -> argparse.Namespace:
    flags = {"detach": True, "summary_json": None, "fail_on_dead_letters": False}
    return argparse.Namespace(**{**flags, **changes})


class TestJobOptions:
    def test_a_job_has_a_name_and_says_that_it_is_endless(self) -> None:
        assert list(cluster.job_options("ingest-t", [], streaming=True)) == [
            "--streaming",
            "--job_name=ingest-t",
        ]

    @pytest.mark.parametrize("beam_options", [["--job_name=mine"], ["--job_name", "mine"]])
    def test_a_name_that_the_user_chose_stays(self, beam_options: list[str]) -> None:
        assert list(cluster.job_options("ingest-t", beam_options, streaming=False)) == []


class TestDetach:
    def test_a_cluster_can_be_left_alone(self) -> None:
        cluster.check_detach(detached(), FLINK, [])

    def test_without_detach_nothing_is_refused(self) -> None:
        flags = detached(detach=False, summary_json="a.json")
        cluster.check_detach(flags, DIRECT, ["--environment_type=LOOPBACK"])

    @pytest.mark.parametrize("option", [{"summary_json": "a"}, {"fail_on_dead_letters": True}])
    def test_what_needs_the_result_contradicts_it(self, option: dict[str, Any]) -> None:
        with pytest.raises(ConfigError, match="--detach does not wait"):
            cluster.check_detach(detached(**option), FLINK, [])

    def test_a_pipeline_in_this_process_cannot_be_left(self) -> None:
        with pytest.raises(ConfigError, match="DirectRunner the pipeline ends with this process"):
            cluster.check_detach(detached(), DIRECT, [])

    def test_nor_can_workers_in_this_process(self) -> None:
        with pytest.raises(ConfigError, match="LOOPBACK"):
            cluster.check_detach(detached(), FLINK, ["--environment_type=LOOPBACK"])


class TestPlaces:
    @pytest.mark.parametrize("uri", ["/in/*.jsonl", "s3://b/p", "kafka://h:1/t", "file:///in"])
    def test_what_all_workers_can_find_is_accepted(self, uri: str) -> None:
        cluster.refuse_relative_paths("--source", [uri], FLINK)

    @pytest.mark.parametrize("uri", ["in/*.jsonl", "./in", "*.csv"])
    def test_a_relative_path_is_refused(self, uri: str) -> None:
        with pytest.raises(ConfigError, match=r"^--source .*absolute path"):
            cluster.refuse_relative_paths("--source", ["/in", uri], FLINK)

    @pytest.mark.parametrize("sink", ["sqlite:///a.db", "sqlite://", "sqlite+pysqlite:///a.db"])
    def test_a_database_that_each_worker_would_create_is_refused(self, sink: str) -> None:
        with pytest.raises(ConfigError, match="need one database"):
            cluster.refuse_local_database(sink, FLINK)

    def test_a_database_that_one_process_can_have_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="one process at a time can have a duckdb database"):
            cluster.refuse_local_database("duckdb:////data/a.duckdb", FLINK)

    @pytest.mark.parametrize("sink", ["sqlite:////data/a.db", "postgresql://h/d"])
    def test_one_database_for_all_is_accepted(self, sink: str) -> None:
        cluster.refuse_local_database(sink, FLINK)
