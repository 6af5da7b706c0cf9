"""Everything that shows figures shows the same ones, also after kills: each against the input."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from pipelines.operation.verdicts import verdicts
from pipelines.telemetry.exporter import Exporter
from pipelines.telemetry.process import ProcessMetrics
from sinks.database.database import Database
from tests.pipelines.commands import arguments, dead_letters, ingested
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import count_rows, query
from tests.pipelines.test_runs import listed

pytestmark = [pytest.mark.integration, pytest.mark.slow]


RECORDS = 40_000  # four transactions
HELD = (25_000, 39_800)
"""For each kill the record at which the run cannot go on before it."""


def lines(numbers: range) -> tuple[list[str], dict[str, int]]:
    """Records of every kind, and how many of each outcome must come of them."""
    kinds = {1: "dead", 2: "duplicates", 3: "retrying"}
    outcomes: Counter[str] = Counter()
    texts = []
    for number in numbers:
        kind = kinds.get(number % 400, "inserted")
        outcomes[kind] += 1
        key = number - 2 if kind == "duplicates" else number
        record = {"id": key, "parent": 2 if kind == "retrying" else 1}
        texts.append("x" if kind == "dead" else json.dumps(record))
    return texts, dict(outcomes)


def create_tables(sink: str) -> None:
    """A table, and one that its rows refer to; parent 2 is missing there."""
    query(
        sink,
        "CREATE TABLE parents (id bigint PRIMARY KEY)",
        "INSERT INTO parents VALUES (1)",
        "CREATE TABLE events (id bigint PRIMARY KEY, parent bigint REFERENCES parents)",
    )


# A retry is due only after the run, which does not wait for it.
LATE = ("--backoff_base", "10000", "--backoff_cap", "10000", "--retry_wait", "0")


def test_after_kills_all_figures_are_those_of_the_input(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sink, file = postgres_url, tmp_path / "a.jsonl"
    texts, expected = lines(range(RECORDS))
    file.write_text("\n".join(texts) + "\n")
    create_tables(sink)
    for held in HELD:
        rows = count_rows(sink)
        command = running(arguments(file, sink, *LATE, "--max_dead", "100%"))
        with psycopg.connect(sink) as other, command as process:
            other.execute("INSERT INTO events VALUES (%s, 1)", (held,))
            wait_for_rows(process, sink, rows + 1)
            process.kill()
            process.wait()
            other.rollback()
        assert 0 < count_rows(sink) < expected["inserted"], f"the kill at {held} was in the middle"
    before = settled(sink)
    summary = ingested(file, sink, *LATE, "--max_dead", "100%")
    after = settled(sink)

    assert after == {"read": RECORDS, **expected}
    gained = {name: after[name] - before[name] for name in after}
    assert {name: summary[name] for name in gained} == gained, "the summary is of its run"
    of_tables(sink, expected, capsys)
    newest = listed(sink, capsys)[0]
    assert {name: newest[name] for name in gained} == gained, "so is the row of the run"
    of_process(gained)
    silent = "UPDATE ingest_workers SET heartbeat_at = now() - interval '1 hour'"
    query(sink, silent)
    of_exporter(sink, expected, str(file))


def settled(sink: str) -> dict[str, int]:
    """What the audit says."""
    (verdict,) = verdicts(sink, None)
    assert verdict.ok
    names = ("read", "inserted", "duplicates", "dead", "retrying")
    figures = verdict.as_json()
    return {name: figures[name] for name in names}


def of_tables(sink: str, expected: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    """The rows and jobs of the database, and what ``dead_letters stats`` says of them."""
    assert count_rows(sink) == expected["inserted"]
    states = dict(query(sink, "SELECT state, count(*) FROM ingest_jobs GROUP BY state"))
    assert states == {"discarded": expected["dead"], "retryable": expected["retrying"]}
    assert stats(sink, capsys) == states


def stats(sink: str, capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """What ``dead_letters stats`` says of each state."""
    capsys.readouterr()
    assert dead_letters("stats", "--sink", sink, "--state", "all", "--json") == 0
    sums: Counter[str] = Counter()
    for group in json.loads(capsys.readouterr().out):
        sums[group["state"]] += group["count"]
    return dict(sums)


def of_process(gained: dict[str, int]) -> None:
    """The metrics of this process, which made the last run, are those of its summary."""
    registry = CollectorRegistry()
    registry.register(ProcessMetrics(lambda: {"pipeline": "p", "target": "t"}, {}))
    values = sums_of(registry)
    assert values["sluice_commit_records_sum"] == gained["read"]
    assert values["sluice_record_failures_total"] == gained["dead"] + gained["retrying"]


def of_exporter(sink: str, expected: dict[str, int], source: str) -> None:
    """The metrics of the exporter are those of all runs."""
    exporter = Exporter(Database(sink), 10, 10)
    for loop in (exporter.figures, exporter.audit):
        loop.once()
    registry = CollectorRegistry()
    registry.register(exporter)
    values = sums_of(registry)
    assert values["sluice_records_read_total"] == sum(expected.values())
    assert values["sluice_dead_letters_total"] == expected["dead"]
    labels: dict[str, Any] = {"pipeline": "events", "target": "events", "source": source}
    for outcome in ("inserted", "duplicates"):
        shown = registry.get_sample_value("sluice_records_total", {**labels, "outcome": outcome})
        assert shown == expected[outcome]
    for state in ("dead", "retrying"):
        shown = registry.get_sample_value("sluice_records", {**labels, "state": state})
        assert shown == expected[state]
    assert values["sluice_ledger_gaps"] == values["sluice_conservation_violations"] == 0
    assert values["sluice_jobs"] == expected["dead"] + expected["retrying"]
    # A killed run is not lost any more once another one has gone on; of runs that end, none is left.
    assert values.get("sluice_runs", 0) == 0


def sums_of(registry: CollectorRegistry) -> dict[str, float]:
    """The sum of all series of each name."""
    sums: defaultdict[str, float] = defaultdict(float)
    for family in registry.collect():
        for sample in family.samples:
            sums[sample.name] += sample.value
    return dict(sums)
