"""The picture of the pipeline; whole runs are in ``tests/pipelines/test_ingest.py``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from pipelines import execution
from pipelines.ingestion.options import from_argv
from pipelines.ingestion.run import build
from pipelines.ingestion.steps import BUILT_IN
from runners.runner import Runner
from sinks.sql import SqlSink
from transforms.batch.splits import Source
from transforms.steps.each_record import EachRecord


@pytest.mark.parametrize("mapped", [True, False])
def test_a_mapping_is_before_validate_and_a_users_steps_before_write(
    mapped: bool, tmp_path: Path
) -> None:
    argv = ["--source", "/a.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db", "--table", "t"]
    if mapped:
        (tmp_path / "map.yaml").write_text("- trim: a\n")
        argv += ["--map", str(tmp_path / "map.yaml")]
    steps = (EachRecord(lambda record: record, "First"), EachRecord(lambda record: None, "Second"))
    config, run = from_argv(argv, steps)
    pipeline = beam.Pipeline()
    build(pipeline, config, SqlSink(config.sql, config.retry), run.runner)
    (root,) = pipeline.transforms_stack
    own = ("First", "Second")
    absent = ("Route", "Parse" if mapped else "Map")  # a mapping parses too
    built_in = [label for label in BUILT_IN if label not in absent]
    labels = [part.full_label for part in root.parts]
    assert [label for label in labels if label not in own] == built_in
    assert labels[labels.index("Validate") :][:4] == ["Validate", *own, "Write"]


def test_routes_stand_between_the_users_steps_and_write(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("routes:\n- {table: orders, when: type}\n")
    argv = ["--source", "/a.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db", "--pipeline", "shop"]
    steps = (EachRecord(lambda record: record, "Own"),)
    config, run = from_argv([*argv, "--routes", f"{tmp_path}/routes.yaml"], steps)
    pipeline = beam.Pipeline()
    sink = SqlSink(config.sql, config.retry, pipeline=config.pipeline, tables=config.tables)
    build(pipeline, config, sink, run.runner)
    (root,) = pipeline.transforms_stack
    labels = [part.full_label for part in root.parts]
    assert labels[labels.index("Validate") :][:4] == ["Validate", "Own", "Route", "Write"]


@pytest.mark.parametrize("streaming", [True, False])
def test_jobs_come_first_in_a_stream_and_last_in_a_run_that_ends(
    streaming: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["--source", f"{tmp_path}/in/", "--sink", f"sqlite:///{tmp_path}/a.db", "--table", "t"]
    config, run = from_argv([*argv, *(["--streaming"] if streaming else [])])
    (source,) = config.sources
    asked: list[Sequence[Source]] = []
    reading = execution.reading

    def noted(runner: Runner, sources: Sequence[Source], *rest: Any, **named: Any) -> Any:
        asked.append(sources)
        return reading(runner, sources, *rest, **named)

    monkeypatch.setattr(execution, "reading", noted)
    build(beam.Pipeline(), config, SqlSink(config.sql, config.retry), run.runner)
    jobs = config.jobs
    assert asked == [(jobs, source) if streaming else (source, jobs)]
