"""The alerts are right, and each names a page that helps."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.telemetry.table import FROM_AUDIT, FROM_DATABASE

ROOT = Path(__file__).resolve().parents[1]
OPS = ROOT / "ops" / "prometheus"
RUNBOOKS = ROOT / "docs" / "runbooks"
PAGE = (ROOT / "docs" / "metrics.md").read_text()

HEADINGS = ["What it means", "How to look", "What to do", "How to know that it is over"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OPS / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def test_every_alert_has_a_severity_a_summary_and_a_page() -> None:
    for name, alert in alerts().items():
        assert alert["labels"]["severity"] in ("page", "ticket"), name
        assert alert["annotations"]["summary"], name
        page = ROOT / alert["annotations"]["runbook_url"]
        assert f"`{name}`" in page.read_text(), f"{page.name} does not name {name}"


def test_every_page_says_what_to_do_and_belongs_to_an_alert() -> None:
    named = {ROOT / alert["annotations"]["runbook_url"] for alert in alerts().values()}
    assert set(RUNBOOKS.glob("*.md")) == named
    for page in named:
        assert re.findall(r"^## (.*)$", page.read_text(), re.MULTILINE) == HEADINGS


def test_every_alert_is_tested_with_a_firing_and_a_quiet_series() -> None:
    cases = yaml.safe_load((OPS / "rules-test.yaml").read_text())["tests"]
    tested = [
        (check["alertname"], bool(check["exp_alerts"]))
        for case in cases
        for check in case["alert_rule_test"]
    ]
    assert sorted(tested) == sorted((name, fires) for name in alerts() for fires in (True, False))


def test_expressions_use_only_metrics_that_there_are() -> None:
    documented = set(re.findall(r"^\| `(sluice_\w+)` \|", PAGE, re.MULTILINE))
    assert {metric.name for metric in (*FROM_DATABASE, *FROM_AUDIT)} <= documented
    for rule in rules():
        for name in re.findall(r"\bsluice_\w+", rule["expr"]):
            assert re.sub(r"_(bucket|count|sum)$", "", name) in documented, name


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="PROMTOOL IS MISSING: apt-get install prometheus"
)
def test_prometheus_accepts_the_rules_and_their_tests() -> None:
    for argv in (["check", "rules", "rules.yaml"], ["test", "rules", "rules-test.yaml"]):
        done = subprocess.run(
            ["promtool", *argv], cwd=OPS, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
