"""Pipelines are steered with a reason, by those who may, whatever they are called."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.control.requests import Limits, ask, limit, requested
from sinks.database.engine import transaction
from sinks.database.tables import pipelines
from sinks.jobs.audit_trail import entries
from tests.io.sinks.console.ledgers import add
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.consoles import bearer, console, csrf, token_file
from tests.pipelines.console.pages.running.harmless import check_harmless
from tests.pipelines.console.pages.stored_letters import HOSTILE

ACTIONS = [
    ("pause", {}, "operator"),
    ("drain", {}, "operator"),
    ("resume", {}, "operator"),
    ("rate", {"max_rate": "5"}, "admin"),
]


def stored(folder: Path) -> Database:
    return Database("sqlite", f"sqlite:///{folder}/control.db")


@pytest.mark.parametrize(("action", "more", "least"), ACTIONS)
def test_each_action_needs_role_reason_and_token(
    tmp_path: Path, action: str, more: dict[str, str], least: str
) -> None:
    database = stored(tmp_path)
    begun(database)
    roles = ("viewer", "operator", "admin")
    address = f"/control/{action}"
    options: dict[str, Any] = {"token_file": token_file(tmp_path)}
    with console(database.database, **options) as client:
        for role in roles:
            may = roles.index(role) >= roles.index(least)
            page = client.get("/control?pipeline=events", headers=bearer(role)).text
            button = "<button>Limit</button>" if action == "rate" else f'formaction="{address}"'
            assert (button in page) == may
            good = {"csrf": csrf(client, headers=bearer(role)), "pipeline": "events", **more}
            for form, status in (
                (good | {"reason": "w", "csrf": "x"}, 403),
                (good | {"reason": " "}, 400 if may else 403),
                (good | {"reason": "<b>"}, 303 if may else 403),
            ):
                answer = client.post(address, data=form, headers=bearer(role))
                assert answer.status_code == status
            if may:
                assert answer.headers["Location"] == "/control?pipeline=events"
                page = client.get("/control?pipeline=events", headers=bearer(role)).text
                assert f"<td>{role}</td><td>&lt;b&gt;</td>" in page
    (row,) = requested(database.database)
    assert (row.actor, row.reason) == ("admin", "<b>")
    made = [(entry.action, entry.actor) for entry in entries(database.database)]
    assert made == [
        (action, role) for role in reversed(roles) if roles.index(role) >= roles.index(least)
    ]
    with console(database.database, **options, read_only=True) as client:
        page = client.get("/control?pipeline=events", headers=bearer("admin")).text
        assert "<button>Limit</button>" not in page
        assert "formaction" not in page
        form = good | {"reason": "w", "csrf": csrf(client, headers=bearer("admin"))}
        answer = client.post(address, data=form, headers=bearer("admin"))
        assert answer.status_code == 403


def test_one_source_is_held_and_resumed(tmp_path: Path) -> None:
    database = stored(tmp_path)
    add(database, ("p", "kafka://a", "0", 0, 5, False), ("p", "kafka://b", "0", 0, 5, False))
    with console(database.database) as client:
        assert '<option value="kafka://a">' in client.get("/control?pipeline=p").text
        form = {"csrf": csrf(client), "pipeline": "p", "source": "kafka://a", "reason": "w"}
        assert client.post("/control/pause", data=form).status_code == 303
        assert [(row.source, row.state) for row in requested(database.database)] == [
            ("kafka://a", "paused")
        ]
        page = client.get("/control?pipeline=p").text
        assert "Source kafka://a is paused." in page
        assert '<td>kafka://a</td><td><span class="badge warn">paused</span></td>' in page
        refused = client.post("/control/pause", data=form | {"source": "kafka://c"})
        assert refused.status_code == 400
        assert "reads no source kafka://c" in refused.text
        client.post("/control/resume", data=form)
        assert [row.state for row in requested(database.database)] == ["running"]


def test_limits_are_set_and_forgotten(tmp_path: Path) -> None:
    database = stored(tmp_path)
    begun(database)
    with console(database.database) as client:
        form = {"csrf": csrf(client), "pipeline": "events", "reason": "w"}

        def limits(**fields: str) -> tuple[float | None, float | None]:
            assert client.post("/control/rate", data=form | fields).status_code == 303
            (row,) = requested(database.database)
            return row.max_rate, row.max_bytes_rate

        assert limits(max_rate="500") == (500, None)
        assert limits(max_bytes_rate="1e6") == (500, 1e6)
        assert "500 records/s 1,000,000 bytes/s" in client.get("/control").text
        assert limits(none="1") == (None, None)
        for wrong in ({}, {"max_rate": "x"}, {"max_rate": "nan"}, {"max_rate": "-1"}):
            assert client.post("/control/rate", data=form | wrong).status_code == 400
        both = form | {"max_rate": "1", "none": "1"}
        assert client.post("/control/rate", data=both).status_code == 400


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_harmless(tmp_path: Path, text: str) -> None:
    database = stored(tmp_path)
    add(database, (text, text, "0", 0, 5, False))
    for source in ("", text):
        ask(database.database, text, [source], "paused", actor=text, reason=text)
    limit(database.database, text, [text], Limits(max_rate=1.5), actor=text, reason=text)
    with console(database.database) as client:
        page = client.get("/control").text
        check_harmless(page)
        address = unescape(re.findall(r'<td><a href="(/control\?[^"]+)"', page)[0])
        one = client.get(address)
        assert one.status_code == 200
        check_harmless(one.text)
        form = {"csrf": csrf(client), "pipeline": text, "source": text, "reason": text}
        answer = client.post("/control/resume", data=form)
        assert answer.status_code == 303
        after = client.get(answer.headers["Location"])
        assert after.status_code == 200
        check_harmless(after.text)
        check_harmless(client.get("/audit").text)
        (found,) = client.get("/api/control").json()["pipelines"]
        assert [row["state"] for row in found["requests"]] == ["paused", "running"]


def test_each_pipeline_is_on_one_page(tmp_path: Path) -> None:
    database = stored(tmp_path)
    database.sink()
    with transaction(database.database, "test") as connection:
        connection.execute(sa.delete(pipelines))
        rows = [{"name": f"p{number:03}", "target": "t"} for number in range(120)]
        connection.execute(sa.insert(pipelines), rows)
    with console(database.database) as client:
        found: list[str] = []
        address: str | None = "/control"
        while address:
            page = client.get(address).text
            found += re.findall(r'<td><a href="/control\?pipeline=(\w+)"', page)
            more = re.search(r'rel="next" href="([^"]+)"', page)
            address = unescape(more[1]) if more else None
        assert found == [row["name"] for row in rows]
        listed = client.get("/api/control?limit=500").json()
        assert [one["name"] for one in listed["pipelines"]] == found


def test_without_pipelines_the_page_says_so(tmp_path: Path) -> None:
    with console(stored(tmp_path).database) as client:
        assert "No pipeline yet" in client.get("/control").text
        assert client.get("/control?pipeline=x").status_code == 404
        assert client.get("/api/control").json()["pipelines"] == []
        form = {"csrf": csrf(client), "pipeline": "x", "reason": "w"}
        assert client.post("/control/pause", data=form).status_code == 400
