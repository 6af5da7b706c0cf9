"""The picture of the pipeline; whole runs are in ``tests/pipelines/test_ingest.py``."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam

from pipelines.ingestion.options import from_argv
from pipelines.ingestion.run import build
from pipelines.ingestion.steps import BUILT_IN
from sinks.sql import SqlSink
from transforms.steps.each_record import EachRecord


def test_a_users_steps_are_between_validate_and_write(tmp_path: Path) -> None:
    argv = ["--source", "/a.jsonl", "--sink", f"sqlite:///{tmp_path}/a.db", "--table", "t"]
    steps = (EachRecord(lambda record: record, "First"), EachRecord(lambda record: None, "Second"))
    config, run = from_argv(argv, steps)
    pipeline = beam.Pipeline()
    build(pipeline, config, SqlSink(config.sql, config.retry), run.runner)
    (root,) = pipeline.transforms_stack
    assert [part.full_label for part in root.parts] == [
        *BUILT_IN[:3],
        *("First", "Second"),
        *BUILT_IN[3:],
    ]
