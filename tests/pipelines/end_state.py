"""What a run of ``pipelines.ingest`` leaves in a database, to hold runners against each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines import command
from pipelines.audit import verdicts
from pipelines.ingest import main as ingest_main

TABLES = {
    "events": "SELECT * FROM events ORDER BY event_id",
    "ingest_jobs": 'SELECT source, partition, "offset", stage, category, state, raw '
    'FROM ingest_jobs ORDER BY source, partition, "offset"',
}


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(map(plain, row)) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def schema_of(url: str, name: str) -> str:
    """The URL of a new schema of a Postgres, for one runner."""
    query(url, f"CREATE SCHEMA {name}")
    return f"{url}&options=-csearch_path%3D{name.lower()}"


def arguments(runner: str, source: str, sink: str, *more: str) -> list[str]:
    argv = ["--runner", runner, "--source", source, "--sink", sink, "--table", "events"]
    return [*argv, "--key", "event_id", "--no_progress", *more]


def state_after(
    runner: str, source: str, sink: str, folder: Path, *more: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run to the end; returns what the database holds, and the summary."""
    out = folder / f"{runner}.json"
    argv = arguments(runner, source, sink, "--summary_json", str(out), *more)
    assert command.run("ingest", ingest_main, argv) == 0
    state: dict[str, Any] = {name: query(sink, statement) for name, statement in TABLES.items()}
    state["ledger"] = [each.as_json() for each in verdicts(sink, None)]
    return state, json.loads(out.read_text())
