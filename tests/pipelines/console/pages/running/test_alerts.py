"""The alerts say what holds, with value, threshold and runbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from sinks.console.alerts import NOT_JUDGED, OUTAGE, RULES
from tests.io.sinks.console.ledgers import add
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import console
from tests.pipelines.console.pages.running.harmless import check_harmless
from tests.pipelines.console.pages.stored_letters import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_a_gap_holds_and_its_names_are_harmless(tmp_path: Path, text: str) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path}/alerts.db")
    add(database, (text, text, text, 0, 5, False), (text, text, text, 7, 9, True))
    with console(database.database) as client:
        page = client.get("/alerts").text
        check_harmless(page)
        assert page.count("holds (1)") == 1
        answer = client.get("/api/alerts").json()
        (gap,) = [one for one in answer["judged"] if one["number"]]
        assert gap["rule"]["name"] == "SluiceLedgerGap"
        (series,) = gap["series"]
        assert series == {
            "labels": {"pipeline": text, "source": text},
            "value": 1.0,
            "threshold": 0.0,
        }


def test_every_alert_has_its_runbook(tmp_path: Path) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path}/alerts.db")
    database.sink()
    with console(database.database) as client:
        page = client.get("/alerts").text
        for rule in (*RULES, OUTAGE, *NOT_JUDGED):
            assert f"<strong>{rule.name}</strong>" in page
            assert f"<code>{rule.runbook}</code>" in page
        assert "holds (" not in page
        for other in NOT_JUDGED:
            assert other.why in page


def test_without_tables_nothing_is_judged(tmp_path: Path) -> None:
    with console(Database("sqlite", f"sqlite:///{tmp_path}/none.db").database) as client:
        assert "Nothing was ingested" in client.get("/alerts").text
        assert client.get("/api/alerts").status_code == 404
