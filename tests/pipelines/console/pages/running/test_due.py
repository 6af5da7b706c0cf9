"""Retries by time, with sums and claims, whatever their records hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import claims, jobs, queue
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import console
from tests.pipelines.console.pages.running.harmless import check_harmless
from tests.pipelines.console.pages.stored_letters import HOSTILE

LATER = datetime.now(UTC) + timedelta(days=1)


def stored(folder: Path) -> Database:
    return Database("sqlite", f"sqlite:///{folder}/due.db")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_jobs_and_claims_are_harmless(tmp_path: Path, text: str) -> None:
    database = stored(tmp_path)
    store(prepared(database), {"state": "retryable"}, {"state": "executing"})
    with transaction(database.database, "test") as connection:
        names = ("target", "stage", "category", "exception", "pipeline")
        connection.execute(sa.update(jobs).values(dict.fromkeys(names, text)))
        connection.execute(sa.update(queue).values(target=text))
        connection.execute(sa.update(claims).values(pipeline=text, lease=text))
    with console(database.database) as client:
        page = client.get("/due").text
        check_harmless(page)
        assert "gone" in page
        check_harmless(client.get("/due", params={"target": text}).text)
        answer = client.get("/api/due", params={"target": text}).json()
        assert answer["jobs"][0]["stage"] == text
        assert answer["claims"][0]["lives"] is False


def test_each_job_is_on_one_page(tmp_path: Path) -> None:
    database = stored(tmp_path)
    kinds: list[dict[str, Any]] = [
        {"state": "retryable", "scheduled_at": LATER + timedelta(hours=number // 7)}
        for number in range(120)
    ]
    ids = store(prepared(database), *kinds)
    with console(database.database) as client:
        numbers: list[int] = []
        address: str | None = "/due?target=events"
        while address:
            page = client.get(address).text
            numbers += map(int, re.findall(r'href="/dead-letters/(\d+)"', page))
            more = re.search(r'rel="next" href="([^"]+)"', page)
            address = unescape(more[1]) if more else None
        assert numbers == ids
        assert '<td class="number">120</td><td class="number">0</td>' in page
        listed: list[int] = []
        asked: dict[str, Any] = {"limit": 50}
        while not listed or asked["after"]:
            answer = client.get("/api/due", params=asked).json()
            listed += [job["id"] for job in answer["jobs"]]
            asked["after"] = answer["after"]
        assert listed == ids
        for query in ("after=x", "after=2026-01-01T00:00:00Z~x", "target=%00"):
            assert client.get(f"/due?{query}").status_code == 400


def test_an_empty_queue_says_so(tmp_path: Path) -> None:
    database = stored(tmp_path)
    with console(database.database) as client:
        assert "Nothing was ingested" in client.get("/due").text
        database.sink()
        assert "Nothing waits to be tried again" in client.get("/due").text
        assert "None of this table" in client.get("/due?target=x").text
