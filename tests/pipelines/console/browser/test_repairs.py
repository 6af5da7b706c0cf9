"""Dead letters are repaired in a real browser, on Postgres."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.console import big
from sinks.control import requests
from sinks.database.database import Database
from sinks.jobs import audit_trail
from sinks.jobs.store import count_jobs
from tests.pipelines.commands import ingested
from tests.pipelines.console.browser.watched import served, watched
from tests.pipelines.tables import query

pytestmark = pytest.mark.slow

MANY = float(os.environ.get("CONSOLE_SHARE", "0.012"))
"""The share of a million dead letters that are replayed at once: ``make console-replay`` has a tenth."""

SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "n": {"type": "integer", "maximum": 4}},
}


@pytest.fixture
def schema(postgres_url: str, tmp_path: Path) -> Path:
    """The schema of a run that has made a row and four dead letters of a file."""
    schema, source = tmp_path / "schema.json", tmp_path / "a.jsonl"
    schema.write_text(json.dumps(SCHEMA))
    source.write_text("".join(f'{{"id": {number}, "n": {number * 3}}}\n' for number in range(1, 6)))
    run = ingested(source, postgres_url, "--schema", str(schema))
    assert (run["inserted"], run["dead"]) == (1, 4)
    return schema


def states(url: str) -> dict[str, int]:
    return {state: number for (state,), number in count_jobs(Database(url), by=("state",)).items()}


def act(page: Page, button: str, reason: str) -> None:
    """Confirm the action of a page, with a reason."""
    submit = page.get_by_role("button", name=re.compile(f"^{button}"))
    submit.click()
    expect(page.get_by_label("Reason")).to_be_focused()  # it is required
    page.get_by_label("Reason").fill(reason)
    submit.click()


def test_one_is_replayed_another_edited_and_the_rest_purged(
    chromium: Browser, postgres_url: str, schema: Path, tmp_path: Path
) -> None:
    with served(postgres_url) as address, watched(chromium, address) as page:
        page.goto("/dead-letters")
        page.get_by_label("category", exact=True).fill("schema")
        page.get_by_role("button", name="Filter").click()
        expect(page).to_have_url(re.compile("category=schema"))
        page.reload()
        expect(page.get_by_label("category", exact=True)).to_have_value("schema")
        expect(page.locator("tbody tr")).to_have_count(4)
        page.goto("/dead-letters/groups")
        page.locator("tbody a").first.click()
        page.goto("/dead-letters")
        oldest = page.locator("tbody tr").last.get_by_role("link").first
        oldest.click()
        expect(page.locator("pre mark")).to_have_text(['"n"', ": ", "6"])  # what the schema refuses
        page.get_by_role("link", name="hex").click()
        expect(page.locator("pre").first).to_contain_text("7b 22 69 64")

        page.get_by_role("link", name="Edit").click()
        page.get_by_label("Record").fill('{"id": 2, "n": 2}')
        page.get_by_label("Reason").fill("it was meant to be 2")
        page.get_by_role("button", name="Edit and replay").click()
        expect(page.locator(".flash")).to_be_visible()
        assert states(postgres_url) == {"available": 1, "discarded": 3}

        page.goto("/dead-letters")
        page.locator("tbody tr").last.get_by_role("checkbox").check()
        page.get_by_role("button", name="Replay selected").click()
        act(page, "Replay 1", "the schema is corrected")
        expect(page.locator("h1")).to_have_text("Replay: 1 records")

        schema.write_text(json.dumps(SCHEMA).replace("4", "9"))
        source = tmp_path / "a.jsonl"
        assert ingested(source, postgres_url, "--schema", str(schema))["inserted"] == 2
        expect(page.locator("main dl")).to_contain_text("completed")  # the page refreshes itself
        assert query(postgres_url, "SELECT id, n FROM events ORDER BY id") == [
            *((1, 3), (2, 2), (3, 9))
        ]

        page.goto("/dead-letters")
        page.get_by_role("button", name="Purge all that match").click()
        expect(page.locator("main")).to_contain_text("gone for good")
        act(page, "Purge 2", "not ours")
        expect(page.locator("h1")).to_have_text("Purge: 2 records")
        assert states(postgres_url) == {"completed": 2}
        page.goto("/audit")
        for text in ("not ours", "the schema is corrected", "it was meant to be 2"):
            expect(page.locator("tbody")).to_contain_text(text)
    entries = audit_trail.entries(Database(postgres_url))
    assert [entry.action for entry in entries] == ["purge", "replay", "replay", "edit"]
    assert entries[-1].filter["fields"] == ["n"]


def test_a_pipeline_is_paused_and_resumed(
    chromium: Browser, postgres_url: str, schema: Path
) -> None:
    with served(postgres_url) as address, watched(chromium, address) as page:
        page.goto("/control?pipeline=events")
        for button, state in (("Pause", "paused"), ("Resume", "running")):
            page.locator("#reason").fill(f"to see it {state}")
            page.locator("#reason").press("Enter")  # does nothing: which button would it be?
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.locator("tbody")).to_contain_text(f"to see it {state}")
            (row,) = requests.requested(Database(postgres_url), "events")
            assert row.state == state
        page.goto("/audit")
        expect(page.locator("tbody")).to_contain_text("to see it paused")
    entries = audit_trail.entries(Database(postgres_url))
    assert [entry.action for entry in entries] == ["resume", "pause"]


@pytest.mark.timeout(1_200)
def test_all_of_many_are_replayed_and_the_progress_is_seen(
    chromium: Browser, postgres_url: str
) -> None:
    dead = big.build(postgres_url, MANY).dead
    assert dead >= 12_000, "more than are counted one by one, and than are replayed at once"
    with served(postgres_url) as address, watched(chromium, address) as page:
        page.goto("/dead-letters")
        expect(page.locator("main")).to_contain_text("≈")
        page.get_by_role("button", name="Replay all that match").click()
        expect(page.locator("main")).to_contain_text("this becomes a long order")
        act(page, "Replay", "the parser is repaired")
        expect(page).to_have_url(re.compile(r"/orders/\d+$"))
        progress = page.get_by_role("progressbar")
        expect(page.locator("h1 .badge")).to_have_text("completed", timeout=900_000)
        expect(progress).to_have_attribute("value", "1.0")
        expect(page.locator("main dl")).to_contain_text(f"{dead:,} of about")
    database = Database(postgres_url)
    assert states(postgres_url)["available"] == dead
    replays = [
        one for one in audit_trail.entries(database) if one.reason == "the parser is repaired"
    ]
    assert sum(one.count for one in replays if one.action == "replay") == dead


def test_each_role_sees_and_may_do_what_is_its_own(
    chromium: Browser, postgres_url: str, schema: Path, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    roles = ("viewer", "operator", "admin")
    tokens.touch(mode=0o600)
    tokens.write_text("".join(f"{role}:{role}:{role * 3}-secret\n" for role in roles))
    seen = {}
    with served(postgres_url, "--token_file", str(tokens)) as address:
        for role in roles:
            login = {"username": role, "password": f"{role * 3}-secret"}
            with watched(
                chromium, address, http_credentials=login, expected=["status of 403"]
            ) as page:
                page.goto("/dead-letters")
                buttons = page.locator("main form button").all_inner_texts()
                seen[role] = sorted({text.split()[0] for text in buttons} - {"Filter"})
                forged = page.evaluate(
                    """async () => (await fetch('/dead-letters/purge', {method: 'POST',
                        headers: {'Content-Type': 'application/x-www-form-urlencoded'},
                        body: 'csrf=x&reason=forged&every=1'})).status"""
                )
                assert forged == 403
    assert seen == {
        "viewer": [],
        "operator": ["Replay"],
        "admin": ["Purge", "Replay"],
    }
    assert states(postgres_url) == {"discarded": 4}


def test_forms_of_another_session_or_of_before_a_restart_are_refused(
    chromium: Browser, postgres_url: str, schema: Path
) -> None:
    def tampered(page: Page, token: str | None) -> int:
        """Post the confirmation form with another token; returns the status."""
        page.goto("/dead-letters/confirm?action=replay&every=1")
        page.get_by_label("Reason").fill("forged")
        page.locator("main input[name=csrf]").evaluate(
            "(field, token) => token === null ? field.remove() : field.value = token", token
        )
        with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
            page.get_by_role("button", name=re.compile("^Replay")).click()
        expect(page.get_by_role("heading", name="That is not allowed")).to_be_visible()
        return answered.value.status

    expected = ["status of 403"]
    with served(postgres_url) as address:
        with watched(chromium, address) as other:
            other.goto("/dead-letters/confirm?action=replay&every=1")
            token = other.locator("main input[name=csrf]").input_value()
        with watched(chromium, address, expected=expected) as page:
            assert tampered(page, None) == 403
            assert tampered(page, "x") == 403
            assert tampered(page, token) == 403
    with served(postgres_url) as address, watched(chromium, address, expected=expected) as page:
        assert tampered(page, token) == 403
    assert states(postgres_url) == {"discarded": 4}
