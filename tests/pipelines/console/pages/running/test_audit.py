"""The audit trail is listed and filtered, whatever its entries say."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from sinks.database.engine import transaction
from sinks.jobs.audit_trail import enter
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import bearer, console, token_file
from tests.pipelines.console.pages.running.harmless import check_harmless
from tests.pipelines.console.pages.stored_letters import HOSTILE


def entered(folder: Path, *entries: dict[str, Any]) -> Database:
    database = Database("sqlite", f"sqlite:///{folder}/audit.db")
    database.sink()
    with transaction(database.database, "test") as connection:
        for entry in entries:
            base: dict[str, Any] = {
                "action": "replay",
                "actor": "ann",
                "reason": "why",
                "which": {},
                "count": 1,
            }
            enter(connection, **(base | entry))
    return database


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_entries_are_harmless(tmp_path: Path, text: str) -> None:
    which = {text: text, "filter": {text: [text], "text": text}}
    entry = {"action": text[:20], "actor": text, "reason": text, "which": which}
    database = entered(tmp_path, entry)
    with console(database.database) as client:
        answer = client.get("/audit")
        assert answer.status_code == 200
        check_harmless(answer.text)
        check_harmless(client.get("/audit", params={"actor": text}).text)
        (found,) = client.get("/api/audit", params={"actor": text}).json()["entries"]
        assert (found["reason"], found["filter"]) == (text, which)


def test_each_entry_is_on_one_page(tmp_path: Path) -> None:
    database = entered(
        tmp_path, *({"actor": "bob" if number % 2 else "ann"} for number in range(120))
    )
    with console(database.database) as client:
        found: list[int] = []
        address: str | None = "/audit?actor=bob"
        while address:
            page = client.get(address).text
            found += map(int, re.findall(r"<tr><td>(\d+)</td>", page))
            more = re.search(r'rel="next" href="([^"]+)"', page)
            address = unescape(more[1]) if more else None
        assert found == [*range(120, 0, -2)]
        answer = client.get("/api/audit?actor=bob&limit=500").json()
        assert [entry["id"] for entry in answer["entries"]] == found


def test_what_was_meant_is_readable(tmp_path: Path) -> None:
    which = {"ids": [1, 2], "filter": {"stage": "parse", "text": None}, "limit": 9}
    database = entered(tmp_path, {"which": which}, {"action": "pause"})
    with console(database.database) as client:
        page = client.get("/audit?action=replay").text
        assert '<span class="hint">ids</span> 1, 2</span>' in page
        assert '<span class="hint">filter stage</span> parse</span>' in page
        assert "None" not in page
        assert "everything" in client.get("/audit?action=pause").text
        assert "No entry matches" in client.get("/audit?since=2990-01-01").text
        for query in ("since=x", "before=x", "actor=%00"):
            assert client.get(f"/audit?{query}").status_code == 400
            assert client.get(f"/api/audit?{query}").status_code == 400


def test_what_was_searched_for_is_hidden_with_payloads(tmp_path: Path) -> None:
    which = {"text": "s3cr3t", "filter": {"text": "s3cr3t"}}
    database = entered(tmp_path, {"which": which})
    options: dict[str, Any] = {"token_file": token_file(tmp_path), "hide_payloads": True}
    with console(database.database, **options) as client:
        for address in ("/audit", "/api/audit"):
            assert "s3cr3t" not in client.get(address, headers=bearer("viewer")).text
            assert "s3cr3t" in client.get(address, headers=bearer("operator")).text


def test_an_empty_trail_says_so(tmp_path: Path) -> None:
    with console(Database("sqlite", f"sqlite:///{tmp_path}/none.db").database) as client:
        assert "Nothing was done by hand yet" in client.get("/audit").text
        assert client.get("/api/audit").json()["entries"] == []
