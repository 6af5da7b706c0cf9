"""What a run of ``pipelines.ingest`` leaves in a database, to hold runners against each other."""

from __future__ import annotations

from typing import Any

from pipelines.operation.verdicts import verdicts
from tests.pipelines.commands import arguments, ingested
from tests.pipelines.tables import query

TABLES = {
    "events": "SELECT * FROM events ORDER BY event_id",
    "ingest_jobs": 'SELECT source, partition, "offset", stage, category, state, raw '
    'FROM ingest_jobs ORDER BY source, partition, "offset"',
}


def events_by(runner: str, source: str, sink: str, *more: str) -> list[str]:
    """The arguments of an ingest of ``examples.events`` on a runner."""
    return arguments(source, sink, "--runner", runner, *more, key="event_id")


def state_after(
    runner: str, source: str, sink: str, *more: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run to the end; returns what the database holds, and the summary."""
    more = ("--runner", runner, *more)
    summary = ingested(source, sink, *more, key="event_id")
    state: dict[str, Any] = {name: query(sink, statement) for name, statement in TABLES.items()}
    state["ledger"] = [verdict.as_json() for verdict in verdicts(sink, None)]
    return state, summary
