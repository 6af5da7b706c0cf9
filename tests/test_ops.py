"""The alerts are right, each names a page that helps, and dashboards ask for what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.telemetry.table import FROM_AUDIT, FROM_DATABASE

ROOT = Path(__file__).resolve().parents[1]
OPS = ROOT / "ops" / "prometheus"
DASHBOARDS = sorted((ROOT / "ops" / "grafana").glob("*.json"))
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
    assert set(RUNBOOKS.glob("*.md")) - {RUNBOOKS / "README.md"} == named
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


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield path.stem, panel


def test_expressions_use_only_metrics_that_there_are() -> None:
    documented = set(re.findall(r"^\| `(sluice_\w+)` \|", PAGE, re.MULTILINE))
    assert {metric.name for metric in (*FROM_DATABASE, *FROM_AUDIT)} <= documented
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    expressions = [rule["expr"] for rule in rules()]
    expressions += [target["expr"] for _, panel in panels() for target in panel["targets"]]
    expressions += [
        variable["query"]
        for path in DASHBOARDS
        for variable in json.loads(path.read_text())["templating"]["list"]
    ]
    names = {name for text in expressions for name in re.findall(r"\bsluice[:_][\w:]+", text)}
    for name in names - recorded:
        assert re.sub(r"_(bucket|count|sum)$", "", name) in documented, name
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}
    assert documented <= shown, "each metric is in an alert or on a panel"


def test_dashboards_are_of_grafanas_schema_and_each_panel_is_its_own() -> None:
    assert [path.stem for path in DASHBOARDS] == ["database", "dead-letters", "pipeline"]
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    for key in ("uid", "title"):
        assert len({board[key] for board in boards}) == len(boards)
    for board in boards:
        assert board["schemaVersion"] >= 39
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)
        places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in board["panels"]]
        for n, (x, y, w, h) in enumerate(places):
            assert x + w <= 24
            for left, top, width, height in places[:n]:
                apart = left + width <= x or x + w <= left or top + height <= y or y + h <= top
                assert apart, board["panels"][n]["title"]


def test_each_variable_of_a_dashboard_is_used_and_each_panel_has_data_and_a_unit() -> None:
    for path in DASHBOARDS:
        board = json.loads(path.read_text())
        text = json.dumps(board["panels"])
        for variable in board["templating"]["list"]:
            assert f"${variable['name']}" in text, f"{path.name}: {variable['name']}"
        names = {variable["name"] for variable in board["templating"]["list"]}
        assert set(re.findall(r"\$(\w+)", text)) <= {*names, "__rate_interval"}
    for board, panel in panels():
        place = f"{board}: {panel['title']}"
        assert panel["datasource"] == {"type": "prometheus", "uid": "$datasource"}, place
        assert panel["fieldConfig"]["defaults"]["unit"], place
        references = [target["refId"] for target in panel["targets"]]
        assert references, place
        assert len(set(references)) == len(references), place


def test_every_severity_reaches_somebody() -> None:
    text = (ROOT / "ops" / "alertmanager" / "alertmanager.yml").read_text()
    settings = yaml.safe_load(text)
    receivers = {receiver["name"] for receiver in settings["receivers"]}
    route = settings["route"]
    assert {route["receiver"], *(one["receiver"] for one in route["routes"])} == receivers
    assert ['severity="page"'] in [one["matchers"] for one in route["routes"]]
    for name in re.findall(r"\bSluice\w+", text):
        assert name in {"Sluice", *alerts()}, name


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="PROMTOOL IS MISSING: apt-get install prometheus"
)
def test_prometheus_accepts_its_settings_the_rules_and_their_tests() -> None:
    for argv in (["check", "config", "prometheus.yml"], ["test", "rules", "rules-test.yaml"]):
        done = subprocess.run(
            ["promtool", *argv], cwd=OPS, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
