"""Replaying, purging and forgetting let no total fall, and wake nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from pipelines.telemetry.exporter import Exporter
from sinks.database.database import Database
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import dead_letters, ingested
from tests.pipelines.tables import query

RULES = Path(__file__).resolve().parents[2] / "ops" / "prometheus" / "rules.yaml"
RECORDS = 400
DEAD = 2  # under the 1 % that pages somebody
MINUTES = 30
"""How long each state is scraped, once a minute: longer than all windows and waits of the rules."""

Scrape = Mapping[str, float]
"""The values of an exporter, by series."""


@pytest.fixture(scope="module")
def scrapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Scrape]]:
    """What an exporter shows at first, and after each thing that is done."""
    folder = tmp_path_factory.mktemp("quiet")
    sink, file = f"sqlite:///{folder}/test.db", folder / "a.jsonl"
    lines = [json.dumps({"id": number}) for number in range(RECORDS - DEAD)]
    file.write_text("\n".join([*lines, *["broken"] * DEAD]) + "\n")

    def read() -> object:
        return ingested(file, sink, "--max_dead", "100%")

    def by_hand(action: str, *more: str) -> Callable[[], object]:
        argv = (action, "--sink", sink, "--reason", "test", *more)
        return lambda: dead_letters(*argv)

    read()
    shown = [scraped(sink)]
    forget: Callable[[], object] = lambda: query(sink, "DELETE FROM ingest_progress")
    # Attempts after a replay fail again; what is read after the ledger was deleted is read again.
    for step in (by_hand("replay"), read, by_hand("purge", "--limit", "1"), forget, read):
        step()
        shown.append(scraped(sink))
    yield shown
    dispose_engines()


def scraped(sink: str) -> Scrape:
    exporter = Exporter(Database(sink), 10, 10)
    for loop in (exporter.figures, exporter.audit):
        loop.once()
        assert not loop.failure
    registry = CollectorRegistry()
    registry.register(exporter)
    return {
        series(sample.name, sample.labels): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


def series(name: str, labels: Mapping[str, str]) -> str:
    texts = (f'{label}="{value}"' for label, value in {**labels, "job": "exporter"}.items())
    return f"{name}{{{', '.join(texts)}}}"


def test_no_total_falls(scrapes: Sequence[Scrape]) -> None:
    for before, after in pairwise(scrapes):
        for name in (name for name in before if "_total{" in name):
            assert after[name] >= before[name], name
    first, last = (
        {re.sub(r"\{.*", "", name): value for name, value in each.items()}
        for each in (scrapes[0], scrapes[-1])
    )
    assert first["sluice_dead_letters_total"] == DEAD
    assert last["sluice_dead_letters_total"] == 3 * DEAD, "each time that one became a dead letter"
    assert last["sluice_records_read_total"] == 2 * RECORDS


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="PROMTOOL IS MISSING: apt-get install prometheus"
)
def test_no_alert_fires_and_one_would_if_the_counts_did_not_add_up(
    scrapes: Sequence[Scrape], tmp_path: Path
) -> None:
    assert fired(scrapes, tmp_path) == set()
    wrong = {
        name: 1.0 if name.startswith("sluice_conservation_violations") else value
        for name, value in scrapes[-1].items()
    }
    assert fired([*scrapes, wrong], tmp_path) == {"SluiceConservationViolated"}


def fired(states: Sequence[Scrape], folder: Path) -> set[str]:
    """Which alerts fire at any time while each state is scraped for ``MINUTES``, one after another."""
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [watched(states)],
    }
    file = folder / "quiet.yaml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run(
        ["promtool", "test", "rules", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    alerts = set(re.findall(r"alertname: (\w+)", output))
    assert (done.returncode == 0) == (not alerts), output
    return alerts


def watched(states: Sequence[Scrape]) -> dict[str, Any]:
    """A test that no alert fires at any time, in the notation of promtool."""
    names = dict.fromkeys(name for state in states for name in state)
    alerts = [
        rule["alert"]
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    times = range(MINUTES // 6, MINUTES * len(states), MINUTES // 6)
    return {
        "interval": "1m",
        "input_series": [
            {"series": name, "values": " ".join(map(values, (state.get(name) for state in states)))}
            for name in names
        ],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": []}
            for minute in times
            for alert in alerts
        ],
    }


def values(value: float | None) -> str:
    """A value that is scraped for ``MINUTES``, in promtool's notation."""
    return f"_x{MINUTES}" if value is None else f"{float(value)}x{MINUTES - 1}"
