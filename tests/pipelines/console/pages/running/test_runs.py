"""Runs are listed, filtered and shown, whatever they are called."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import runs, workers
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import bearer, console, token_file
from tests.pipelines.console.pages.running.harmless import check_harmless
from tests.pipelines.console.pages.stored_letters import HOSTILE


def stored(folder: Path) -> Database:
    return Database("sqlite", f"sqlite:///{folder}/runs.db")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_runs_are_harmless(tmp_path: Path, text: str) -> None:
    database = stored(tmp_path)
    begun(database, "1", options={text: text})
    with transaction(database.database, "test") as connection:
        names = ("id", "pipeline", "target", "runner", "program", "version", "job", "message")
        connection.execute(sa.update(runs).values(dict.fromkeys(names, text)))
        connection.execute(sa.update(workers).values(run=text, name=text))
    with console(database.database) as client:
        page = client.get("/runs").text
        check_harmless(page)
        (address,) = re.findall(r'<td><a href="(/runs/[^"]+)"', page)
        if "/" not in text:  # ids have none
            shown = client.get(unescape(address))
            assert shown.status_code == 200
            check_harmless(shown.text)
        assert client.get("/api/runs").json()["runs"][0]["id"] == text


def test_each_run_is_on_one_page_and_the_api_has_the_same(tmp_path: Path) -> None:
    database = stored(tmp_path)
    for number in range(120):
        begun(database, f"run-{number:03}")
    with transaction(database.database, "test") as connection:
        connection.execute(
            sa.update(runs).values(
                started_at=sa.select(sa.func.min(runs.c.started_at)).scalar_subquery()
            )
        )
    with console(database.database) as client:
        found: list[str] = []
        address: str | None = "/runs?pipeline=events"
        while address:
            page = client.get(address).text
            found += re.findall(r'href="/runs/(run-\d+)"', page)
            more = re.search(r'rel="next" href="([^"]+)"', page)
            address = unescape(more[1]) if more else None
        assert found == [f"run-{number:03}" for number in range(120)]
        listed: list[str] = []
        asked: dict[str, Any] = {"pipeline": "events", "limit": 70}
        while True:
            answer = client.get("/api/runs", params=asked).json()
            listed += [run["id"] for run in answer["runs"]]
            if answer["before"] is None:
                break
            asked["before"] = answer["before"]
        assert listed == found


def test_filters_by_state_table_and_time(tmp_path: Path) -> None:
    database = stored(tmp_path)
    begun(database, "lasting", "a")
    begun(database, "broken", "b").end("failed", "no <b>disk</b>")
    with console(database.database) as client:

        def ids(query: str) -> list[str]:
            page = client.get(f"/runs?{query}").text
            api = client.get(f"/api/runs?{query}").json()["runs"]
            found = sorted(set(re.findall(r'href="/runs/(\w+)"', page)))
            assert found == sorted(run["id"] for run in api)
            return found

        assert ids("") == ["broken", "lasting"]
        assert ids("state=open") == ["lasting"]
        assert ids("state=failed&since=1h") == ["broken"]
        assert ids("pipeline=a&target=events") == ["lasting"]
        assert ids("since=2990-01-01") == []
        for query in ("state=x", "since=x", "before=x", "pipeline=%00"):
            assert client.get(f"/runs?{query}").status_code == 400
            assert client.get(f"/api/runs?{query}").status_code == 400
        page = client.get("/runs/broken").text
        assert "no &lt;b&gt;disk&lt;/b&gt;" in page
        assert client.get("/api/runs/brok").json()["message"] == "no <b>disk</b>"
        assert client.get("/runs/nope").status_code == 404
        assert client.get("/api/runs/nope").status_code == 404


def test_messages_are_hidden_with_payloads(tmp_path: Path) -> None:
    database = stored(tmp_path)
    begun(database, "broken").end("failed", "cannot parse 's3cr3t'")
    options: dict[str, Any] = {"token_file": token_file(tmp_path), "hide_payloads": True}
    with console(database.database, **options) as client:
        for address in ("/runs", "/runs/broken", "/api/runs", "/api/runs/broken"):
            assert "s3cr3t" not in client.get(address, headers=bearer("viewer")).text
            assert "s3cr3t" in client.get(address, headers=bearer("operator")).text


def test_the_page_of_a_run_names_the_version_of_its_file(tmp_path: Path) -> None:
    database = stored(tmp_path)
    file = {"path": "<b>p.yaml", "hash": "a" * 64, "commit": "b" * 40}
    begun(database, "of-a-file", options={"key": "id", "file": file})
    with console(database.database) as client:
        page = client.get("/runs/of-a-file").text
    assert "<dd>&lt;b&gt;p.yaml, hash aaaaaaaaaaaa, commit bbbbbbbbbbbb</dd>" in page
    assert "<dt>file</dt>" not in page
    assert "<dt>key</dt>" in page


def test_without_runs_the_page_says_so(tmp_path: Path) -> None:
    database = stored(tmp_path)
    with console(database.database) as client:
        assert "No run yet" in client.get("/runs").text
        assert client.get("/api/runs").json() == {"runs": [], "before": None}
        assert client.get("/runs/x").status_code == 404
        assert "No run matches" in client.get("/runs?pipeline=x").text
