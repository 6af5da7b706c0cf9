"""Every screen in a real browser: accessible, narrow, dark, and deaf to what records and people write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from sinks.bulk.long_orders import give
from sinks.control import requests
from sinks.control.requests import WHOLE
from sinks.database.engine import transaction
from sinks.database.tables import outbox
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.io.sinks.console.dead_letters import store_dead
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, prepared
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from tests.pipelines.console.browser.watched import served, watched
from transforms.batch.job_states import CANCEL

pytestmark = pytest.mark.slow

INERT = (
    "<script>alert(1)</script>",
    "</textarea></pre></title><script>alert(2)</script>",
    "'\"><img src=x onerror=alert(3)>",
    "<svg onload=alert(4)>",
    "<svg><animate onbegin=alert(5) attributeName=x dur=1s>",
    "<iframe srcdoc='<script>alert(6)</script>'>",
    "<body onpageshow=alert(7)>",
    "<details open ontoggle=alert(8)>",
    "<video><source onerror=alert(9)></video>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(10)>",
    "javascript:alert(11)",
    "java\nscript:alert(12)",
    "data:text/html,<script>alert(13)</script>",
    "{{ 7 * 7 }}{% include 'about.html' %}",
    "${alert(14)}#{alert(15)}",
    '" onfocus=alert(16) autofocus x="',
    "' onmouseover='alert(17)",
    "`onclick=alert(18)`",
    "<a href=javascript:alert(19)>x</a>",
    "<base href=//elsewhere.example/>",
    "<meta http-equiv=refresh content='0;url=//elsewhere.example'>",
    "<link rel=stylesheet href=//elsewhere.example/x.css>",
    "<style>@import '//elsewhere.example';</style>",
    "<form action=//elsewhere.example><button>x",
    "<!--<script>--><script>alert(20)</script>",
    "\u202egnp.exe\u2066\u200b\x1b[2J\x00",
    "&lt;script&gt;alert(21)&lt;/script&gt;",
    "<object data=//elsewhere.example>",
    "<div hx-get=/about hx-trigger=load>",
)
"""What records and people may write; none of it is ever more than text."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The address of a console, and the paths of all its screens."""
    folder = tmp_path_factory.mktemp("console")
    database = Database("sqlite", f"sqlite:///{folder}/hostile.db")
    config = prepared(database)
    kinds = [
        {
            "raw": json.dumps({"id": 1, text: text}).encode(),
            "key": text.encode(),
            "headers": json.dumps([[text, None]]),
            "message": f"/{text}: {text}",
            "stack": text,
            "stage": text[:200],
            "category": text[:200],
            "exception": text[:200],
        }
        for text in INERT
    ]
    kinds.append({"raw": b"\xff\xfe<script>alert(1)</script>"})
    numbers = store_dead(config, *kinds, source=INERT[2], partition=INERT[3])
    store_dead(config, {}, target=INERT[0])
    run = begun(database, "5eed", options={"source": INERT[1]})
    run.end("failed", INERT[4])
    begun(database, "5eee")
    for text in INERT[:3]:
        requests.ask(config.database, "events", [WHOLE], "paused", actor=text[:200], reason=text)
    order = Order.of(CANCEL, JobFilter(stage=INERT[0]), every_state=True)
    number = give(config.database, order, actor=INERT[1], reason=INERT[2], expected=1)
    change = {"target": INERT[0], "key": "{}", "shard": 1, "operation": "insert"}
    change |= {"source": INERT[1], "partition": INERT[2], "offset": 1, "payload": b"{}"}
    with transaction(config.database, "test") as connection:
        connection.execute(sa.insert(outbox).values(**change, created_at=FAILED_AT))
    letter = f"/dead-letters/{numbers[0]}"
    paths = [
        *("/", "/targets/events", "/targets/events/partitions"),
        *("/dead-letters", "/dead-letters?state=all&text=x", "/dead-letters/groups", letter),
        *(f"{letter}?as=text", f"/dead-letters/{numbers[-1]}?as=hex", f"{letter}/edit"),
        *(
            "/dead-letters/confirm?action=replay&every=1",
            "/dead-letters/confirm?action=purge&every=1",
        ),
        *("/orders", f"/orders/{number}", "/due", "/outbox", "/runs", "/runs/5eed"),
        *("/control", "/control?pipeline=events", "/audit", "/alerts", "/about", "/nowhere"),
    ]
    with served(config.database.url) as address:
        yield address, paths


def shown(page: Page, path: str) -> None:
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == (404 if path == "/nowhere" else 200), path
    expect(page.locator("h1")).to_be_visible()


ABSENT = "the server responded with a status of 404"


def test_no_screen_has_a_serious_fault_of_accessibility(
    chromium: Browser, console: tuple[str, list[str]]
) -> None:
    address, paths = console
    faults: dict[str, list[str]] = {}
    still = {"color_scheme": "light", "reduced_motion": "reduce"}  # colours change at once
    with watched(chromium, address, expected=[ABSENT], **still) as page:
        for path in paths:
            shown(page, path)
            serious = serious_faults(page)
            # A theme changes nothing but colours.
            page.emulate_media(color_scheme="dark")
            serious += serious_faults(page, "color-contrast")
            page.emulate_media(color_scheme="light")
            if serious:
                faults[path] = serious
    assert faults == {}


def serious_faults(page: Page, *rules: str) -> list[str]:
    """What axe finds serious on a page, by ``rules`` or by all of its own."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = list(rules)
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:120]}"
        for one in Axe().run(page, options=options).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_every_screen_fits_a_narrow_window(
    chromium: Browser, console: tuple[str, list[str]]
) -> None:
    address, paths = console
    wide = {}
    size = {"width": 400, "height": 800}
    with watched(chromium, address, expected=[ABSENT], viewport=size) as page:
        for path in paths:
            shown(page, path)
            width = page.evaluate("document.documentElement.scrollWidth")
            if width > 400:
                wide[path] = width
    assert wide == {}


def test_what_records_and_people_write_is_only_text(
    chromium: Browser, console: tuple[str, list[str]]
) -> None:
    address, paths = console
    with watched(chromium, address, expected=[ABSENT]) as page:
        for path in paths:
            shown(page, path)
            strange = page.locator(
                "main :is(script, iframe, object, svg:not(.coverage), img, video, math, base, link, style, "
                "[onload], [onerror], [onclick], [onfocus], [onmouseover], [hx-trigger])"
            )
            assert strange.count() == 0, path
            hrefs = page.locator("main a").evaluate_all("links => links.map(link => link.href)")
            assert all(href.startswith(address) for href in hrefs), path
            assert "\u202e" not in page.content(), path


def test_lists_are_readable_without_scripts(
    chromium: Browser, console: tuple[str, list[str]]
) -> None:
    address, paths = console
    with watched(chromium, address, expected=[ABSENT], java_script_enabled=False) as page:
        for path in paths:
            shown(page, path)


def test_keys_themes_and_times(chromium: Browser, console: tuple[str, list[str]]) -> None:
    address, _ = console
    with watched(chromium, address) as page:
        shown(page, "/dead-letters")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        expect(page.locator("tr.at")).to_have_count(1)
        expect(page.locator("tbody tr").first).to_have_class("at")
        page.keyboard.press("/")
        expect(page.locator("[data-search]").first).to_be_focused()
        page.keyboard.press("Escape")
        page.locator("h1").click()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.get_by_role("button", name="relative").click()
        expect(page.locator("main time").first).to_contain_text("ago")


def test_rows_are_selected_and_replayed_by_keys(
    chromium: Browser, console: tuple[str, list[str]]
) -> None:
    address, _ = console
    with watched(chromium, address) as page:
        shown(page, "/dead-letters")
        boxes = page.locator("tbody input[type=checkbox]")
        for key in "jjx":
            page.keyboard.press(key)
        expect(boxes.nth(1)).to_be_checked()
        expect(page.locator("tbody input:checked")).to_have_count(1)
        page.keyboard.press("x")
        expect(page.locator("tbody input:checked")).to_have_count(0)
        page.keyboard.press("x")
        chosen = boxes.nth(1).input_value()
        page.keyboard.press("r")
        expect(page).to_have_url(re.compile(f"/confirm.*selected={chosen}&action=replay"))
        shown(page, "/dead-letters")
        page.get_by_label("this page").check()
        expect(page.locator("tbody input:checked")).to_have_count(boxes.count())
        shown(page, f"/dead-letters/{chosen}")
        page.keyboard.press("r")
        expect(page).to_have_url(re.compile(f"/confirm.*selected={chosen}&.*action=replay"))
        # A letter that somebody types is no key.
        page.get_by_label("Reason").press_sequentially("jxr?/")
        expect(page.get_by_label("Reason")).to_have_value("jxr?/")
        shown(page, "/dead-letters/groups")
        page.keyboard.press("j")
        page.keyboard.press("r")
        expect(page).to_have_url(re.compile("/confirm.*fingerprint="))


def test_a_key_leads_to_the_search_of_every_list(
    chromium: Browser, console: tuple[str, list[str]]
) -> None:
    address, paths = console
    searched = []
    with watched(chromium, address, expected=[ABSENT]) as page:
        for path in paths:
            shown(page, path)
            if page.locator("main .filters").count():
                page.keyboard.press("/")
                expect(page.locator("[data-search]").first).to_be_focused()
                searched.append(path.partition("?")[0])
    assert set(searched) >= {"/dead-letters", "/due", "/outbox", "/runs", "/audit"}
