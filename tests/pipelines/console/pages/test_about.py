"""The page about the console, and its settings."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from sinks.database.database import Database
from sinks.database.migrations import migrate
from tests.pipelines.console.consoles import console, csrf


def test_it_says_what_the_console_looks_at(empty: Database) -> None:
    with console(empty, read_only=True) as client:
        assert "nothing was ingested" in client.get("/about").text
        migrate.prepare(empty)
        text = client.get("/about").text
        assert "version 7" in text
        assert "console.db" in text
        assert "read-only" in text


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [("theme", "dark", 'data-theme="dark"'), ("times", "relative", 'data-times="relative"')],
)
def test_a_setting_is_kept_without_a_script(
    client: TestClient, name: str, value: str, shown: str
) -> None:
    form = {"csrf": csrf(client), "name": name, "value": value, "back": "/about"}
    answer = client.post("/settings", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/about")
    assert shown in client.get("/about").text


@pytest.mark.parametrize("back", ["//evil.example", "http://evil.example", "/\\evil.example"])
def test_it_leads_back_into_the_console_only(client: TestClient, back: str) -> None:
    form = {"csrf": csrf(client), "name": "theme", "value": "dark", "back": back}
    assert client.post("/settings", data=form).headers["location"] == "/"


@pytest.mark.parametrize(("name", "value"), [("x", "y"), ("theme", "dark; Path=/"), ("times", "")])
def test_other_settings_are_refused(client: TestClient, name: str, value: str) -> None:
    form = {"csrf": csrf(client), "name": name, "value": value}
    assert client.post("/settings", data=form).status_code == 400


def test_a_read_only_console_still_keeps_settings(empty: Database) -> None:
    with console(empty, read_only=True) as client:
        form = {"csrf": csrf(client), "name": "theme", "value": "light"}
        assert client.post("/settings", data=form).status_code == 303
