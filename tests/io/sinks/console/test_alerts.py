"""Alerts as of now, which are those of ops/prometheus."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from sinks.console.alerts import NOT_JUDGED, OUTAGE, RULES, Judged, alerts
from tests.io.sinks.console.ledgers import add
from tests.io.sinks.figures.test_activity import LONG_AGO, beaten
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

FILE = Path(__file__).parents[4] / "ops" / "prometheus" / "rules.yaml"


def written() -> dict[str, dict[str, Any]]:
    """The alerts of Prometheus by name."""
    groups = yaml.safe_load(FILE.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def holding(database: Database) -> dict[str, Judged]:
    return {one.rule.name: one for one in alerts(database.database).judged if one.holds}


def test_every_alert_is_judged_or_says_why_not() -> None:
    judged, others = {rule.name for rule in (*RULES, OUTAGE)}, {one.name for one in NOT_JUDGED}
    assert not judged & others
    assert judged | others == written().keys()
    for one in (*RULES, OUTAGE, *NOT_JUDGED):
        rule = written()[one.name]
        assert one.severity == rule["labels"]["severity"]
        assert one.runbook == rule["annotations"]["runbook_url"]


@pytest.mark.parametrize("rule", [*RULES, OUTAGE], ids=lambda rule: rule.name)
def test_thresholds_and_durations_are_those_of_prometheus(rule: Any) -> None:
    there = written()[rule.name]
    assert rule.waits == there.get("for", "0s")
    expression = there["expr"]
    if rule is OUTAGE:
        assert "outage_budget_seconds[1d])) / 2" in expression
    else:
        first = re.search(r"> (\d+)", expression)
        assert first is not None
        assert float(first[1]) == rule.threshold


def test_nothing_holds_in_an_empty_database(database: Database) -> None:
    database.sink()
    result = alerts(database.database)
    assert {one.rule.name for one in result.judged} == {rule.name for rule in (*RULES, OUTAGE)}
    assert holding(database) == {}


def test_gaps_and_sums_that_do_not_add_up_hold(database: Database) -> None:
    add(
        database,
        ("p", "s", "1", 0, 5, False),
        ("p", "s", "1", 7, 9, True),
        violating=[("p", "t", "1", 0, 5, True)],
    )
    result = holding(database)
    assert result.keys() == {"SluiceLedgerGap", "SluiceConservationViolated"}
    (gap,) = result["SluiceLedgerGap"].series
    assert (gap.labels, gap.value) == ({"pipeline": "p", "source": "s"}, 1)
    (violation,) = result["SluiceConservationViolated"].series
    assert violation.labels == {"pipeline": "p", "source": "t"}


def test_a_lost_run_holds_unless_another_runs(database: Database) -> None:
    begun(database, "1")
    database.run(f"UPDATE ingest_runs SET started_at = {LONG_AGO}")
    assert holding(database).keys() == {"SluiceRunLost"}
    begun(database, "2")
    assert holding(database) == {}


def test_an_outage_holds_above_half_of_its_budget(database: Database) -> None:
    begun(database, options={"outage_budget": 100.0})
    beaten(database, "1", outage_seconds={"kafka": 51.0, "database": 49.0})
    (outage,) = holding(database)["SluiceOutage"].series
    assert (outage.labels["service"], outage.value, outage.threshold) == ("kafka", 51.0, 50.0)


def test_dead_letters_and_late_retries_hold(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "retryable", "owner": uuid.UUID(int=1)})
    (late,) = holding(database)["SluiceJobsOverdue"].series
    assert late.labels == {"target": "events"}
    database.run("UPDATE ingest_counts SET dead = 1002, purged = 1")
    (dead,) = holding(database)["SluiceDeadLetters"].series
    assert (dead.labels, dead.value) == ({"pipeline": "events", "target": "events"}, 1001)
    database.run("UPDATE ingest_counts SET purged = 2")
    assert "SluiceDeadLetters" not in holding(database)
