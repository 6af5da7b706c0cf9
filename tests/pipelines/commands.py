"""The commands of ``pipelines``, called in this process as the command line calls them."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from pipelines import audit as audit_command
from pipelines import command
from pipelines import dead_letters as dead_letters_command
from pipelines import ingest as ingest_command

OUTCOMES = ("inserted", "updated", "deleted", "duplicates", "dead", "retrying", "filtered")


def printed(stderr: str) -> list[str]:
    """The lines on stderr that are no lines of the log, which is JSON there."""
    return [line for line in stderr.splitlines() if line and not line.startswith("{")]


def arguments(
    source: str | Path, sink: str, *more: str, table: str = "events", key: str | None = "id"
) -> list[str]:
    """The arguments of an ingest without a progress bar; ``more`` may override them."""
    argv = ["--source", str(source), "--sink", sink, "--table", table, "--no_progress"]
    return [*argv, *(("--key", key) if key else ()), *more]


def ingest(
    source: str | Path, sink: str, *more: str, table: str = "events", key: str | None = "id"
) -> int:
    """Run an ingest; returns its exit code."""
    argv = arguments(source, sink, *more, table=table, key=key)
    return command.run("ingest", ingest_command.main, argv)


def ingested(
    source: str | Path, sink: str, *more: str, table: str = "events", key: str | None = "id"
) -> dict[str, Any]:
    """Run an ingest that has to succeed; returns its summary, which has to add up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "summary.json"
        more = ("--summary_json", str(path), *more)
        assert ingest(source, sink, *more, table=table, key=key) == 0
        summary: dict[str, Any] = json.loads(path.read_text())
    outcomes = sum(summary[outcome] for outcome in OUTCOMES)
    assert summary["read"] + summary["expanded"] == outcomes
    return summary


def audit(sink: str, *more: str) -> int:
    """Run an audit; returns its exit code: 0 when every record is accounted for."""
    return command.run("audit", audit_command.main, ["--sink", sink, *more])


def dead_letters(*argv: str) -> int:
    """Run an action on dead letters; returns its exit code."""
    return command.run("dead_letters", dead_letters_command.main, argv)
