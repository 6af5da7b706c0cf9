"""Pages of a real browser refresh themselves: while they are seen, and through an outage of the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Response, expect

from tests.pipelines.commands import ingested
from tests.pipelines.console.browser.watched import served, watched
from tests.services.tcp_proxy import TcpProxy

pytestmark = pytest.mark.slow

HIDDEN_SECONDS = 60
"""How long a tab is hidden, by the clock of its page: many times as long as pages wait."""


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[TcpProxy]:
    """Between a console and its database."""
    (folder,) = parse_qs(urlsplit(postgres_url).query)["host"]
    with TcpProxy(f"{folder}/.s.PGSQL.5432") as proxy:
        yield proxy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "a.jsonl"
    source.write_text('{"id": 1}\n{"id": 2}\nbroken\n')
    return source


def turn(page: Page, *, hidden: bool) -> None:
    """What a browser does when its tab is covered or uncovered, and a browser without a window does not."""
    page.evaluate(
        """hidden => {
            for (const [name, value] of [['hidden', hidden], ['visibilityState', hidden ? 'hidden' : 'visible']])
                Object.defineProperty(document, name, {configurable: true, get: () => value});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


def refreshed(answer: Response) -> bool:
    """Whether a page has asked for itself again."""
    return answer.request.headers.get("hx-request") == "true"


def test_an_outage_of_the_database_is_said_and_survived(
    chromium: Browser, postgres_url: str, proxy: TcpProxy, source: Path
) -> None:
    ingested(source, postgres_url)
    parts = urlsplit(postgres_url)
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}{parts.path}?connect_timeout=2"
    away = ["status of 503"]
    with served(url) as address, watched(chromium, address, expected=away) as page:
        rows = page.locator("main tbody tr")
        heading = page.locator("h1")
        page.goto("/")
        expect(rows).to_have_count(1)
        proxy.refuse()
        assert proxy.cut() > 0
        expect(heading).to_have_text("The database does not answer")
        expect(page.locator("main")).to_contain_text("This page asks again")
        proxy.accept()
        expect(heading).to_have_text("Overview")
        expect(rows).to_have_count(1)

        # A page that is opened meanwhile, one that does not refresh itself while it shows records.
        proxy.refuse()
        proxy.cut()
        answer = page.goto("/dead-letters")
        assert answer is not None
        assert answer.status == 503
        expect(heading).to_have_text("The database does not answer")
        proxy.accept()
        expect(heading).to_have_text("Dead letters")
        expect(rows).to_have_count(1)


def test_a_hidden_tab_asks_for_nothing(chromium: Browser, postgres_url: str, source: Path) -> None:
    ingested(source, postgres_url)
    with served(postgres_url) as address, watched(chromium, address) as page:
        asked: list[str] = []

        def note(request: Request) -> None:
            asked.append(request.url)

        page.on("request", note)
        page.clock.install()
        page.goto("/")
        with page.expect_response(refreshed):
            page.clock.run_for(2_000)
        turn(page, hidden=True)
        asked.clear()
        page.clock.run_for(1_000 * HIDDEN_SECONDS)
        assert asked == []
        with page.expect_response(refreshed):
            turn(page, hidden=False)
        # A box that is checked because the address says so is no form that somebody fills in.
        page.goto("/targets/events/partitions?gaps=1")
        expect(page.get_by_label("only with gaps")).to_be_checked()
        with page.expect_response(refreshed):
            page.clock.run_for(2_000)
        page.get_by_label("only with gaps").uncheck()
        asked.clear()
        page.clock.run_for(1_000 * HIDDEN_SECONDS)
        assert asked == []


def test_a_console_that_is_away_is_said(chromium: Browser, postgres_url: str, source: Path) -> None:
    ingested(source, postgres_url)
    with served(postgres_url) as address:
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        with TcpProxy((parts.hostname, parts.port)) as proxy:
            address = f"http://127.0.0.1:{proxy.port}"
            with watched(chromium, address, expected=["net::ERR", "htmx:"]) as page:
                page.goto("/")
                away = page.get_by_text("The console does not answer")
                expect(away).to_be_hidden()
                proxy.refuse()
                proxy.cut()
                expect(away).to_be_visible()
                expect(page.locator("main tbody tr")).to_have_count(1)
                proxy.accept()
                expect(away).to_be_hidden()
