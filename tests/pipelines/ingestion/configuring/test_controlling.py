"""The limits of a pipeline, as the options of an ingest say."""

from __future__ import annotations

from pathlib import Path

from pipelines.ingestion.options import from_argv
from sinks.control.polling import SqlControls
from transforms.read.control import Limit


def controls(tmp_path: Path, *more: str) -> SqlControls:
    argv = ["--source", str(tmp_path / "a.jsonl"), "--sink", f"sqlite:///{tmp_path}/a.db"]
    return from_argv([*argv, "--table", "events", *more])[0].controls


def test_without_options_there_is_no_limit(tmp_path: Path) -> None:
    asked = controls(tmp_path)
    assert (asked.max_rate, asked.max_bytes_rate) == (None, None)


def test_limits_are_of_the_whole_pipeline(tmp_path: Path) -> None:
    asked = controls(tmp_path, "--max_rate", "0.5", "--max-bytes-rate", "1MiB")
    assert (asked.max_rate, asked.max_bytes_rate) == (0.5, 1 << 20)
    assert [source.uri for source in asked.sources] == [str(tmp_path / "a.jsonl")]
    assert asked.names(str(tmp_path / "*.jsonl"), f"file://{tmp_path}/a.jsonl")
    assert Limit("", asked.max_rate, asked.max_bytes_rate).is_set
