"""A database into which an ingest has read a file of the working directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sinks.database.engine import dispose_engines
from sinks.runs.runs import Run
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.tested_database import make_batch

FILE = "in.jsonl"


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of the database; the pipeline is called ``events``."""
    monkeypatch.chdir(tmp_path)
    sink = SqlSink(SqlConfig.of(f"sqlite:///{tmp_path}/a.db", "events", key=("id",)))
    sink.prepare()
    sink.commit([make_batch([{"id": "1"}], source=f"file://{tmp_path / FILE}")])
    options = {"sources": [{"uri": f"./{FILE}", "pattern": f"file://{tmp_path / FILE}"}]}
    Run("1", sink.config, "", "DirectRunner", "1", options).begin()
    yield f"sqlite:///{tmp_path}/a.db"
    dispose_engines()
