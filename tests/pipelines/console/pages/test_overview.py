"""The overview agrees with the audit, and says what to do where there is nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipelines import audit
from sinks.control import requests
from sinks.control.requests import WHOLE
from sinks.database.database import Database
from tests.io.sinks.jobs.stored_jobs import DEAD, store
from tests.pipelines.console.consoles import console
from tests.pipelines.console.pages.stored_letters import HOSTILE, letters


def cells(page: str, pipeline: str) -> list[str]:
    """The texts of a row of the table."""
    (row,) = re.findall(
        rf"<tr><th scope=\"row\"><a [^>]+>{pipeline}</a></th>(.*?)</tr>", page, re.DOTALL
    )
    return [
        re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)
    ]


def test_its_numbers_are_those_of_the_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = letters(tmp_path, {}, {})
    store(config, DEAD, {"state": "retryable"}, {"state": "completed"}, partition="q")
    with console(config.database) as client:
        page = client.get("/").text
    audit.main(["--sink", config.database.url, "--json"])
    counts = json.loads(capsys.readouterr().out)
    *_, read, dead, retrying = cells(page, "events")
    assert int(read) == sum(one["read"] for one in counts)
    assert int(dead) == sum(one["dead"] for one in counts) == 3
    assert int(retrying) == sum(one["retrying"] for one in counts) == 1


def test_a_pause_is_shown_with_its_reason_and_nothing_of_it_is_markup(tmp_path: Path) -> None:
    config, _ = letters(tmp_path, {})
    requests.ask(config.database, "events", [WHOLE], "paused", actor=HOSTILE[1], reason=HOSTILE[0])
    with console(config.database) as client:
        page = client.get("/").text
    assert cells(page, "events")[0].startswith("paused")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_database_without_tables_says_what_fills_it(empty: Database) -> None:
    with console(empty) as client:
        answer = client.get("/")
    assert answer.status_code == 200
    assert "sluice ingest" in answer.text
