"""From a request to an answer: roles, tokens of forms, errors, cookies."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from pipelines.console.access.roles import Role
from pipelines.console.access.sessions import COOKIE
from pipelines.console.pages import about
from pipelines.console.pages.screens import SCREENS as SCREENS_OF_A_CONSOLE
from pipelines.console.view import Absent, Answer, Forbidden, Page, View
from sinks.database import tables
from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from tests.pipelines.console.consoles import TOKENS, bearer, console, csrf, token_file
from transforms.errors import ConfigError, SinkUnavailable

HOSTILE = "<script>alert(1)</script>\u202e"


def act(view: View) -> Answer:
    return view.redirect("/about", f"done: {view.reason()} {HOSTILE}")


def fail(view: View) -> Answer:
    errors: dict[str, Exception] = {
        "wrong": ConfigError(f"wrong {HOSTILE}"),
        "absent": Absent("no such run"),
        "forbidden": Forbidden("you may not end runs"),
        "away": SinkUnavailable("cannot reach the database"),
        "defect": KeyError("internal-detail"),
    }
    raise errors[view.path["kind"]]


SCREENS = (
    *about.ROUTES,
    Page("/act/operator", act, method="POST", role=Role.OPERATOR),
    Page("/act/admin", act, method="POST", role=Role.ADMIN),
    Page("/fail/{kind}", fail),
    Page("/api/fail/{kind}", fail),
)


@pytest.fixture
def client(empty: Database) -> Iterator[TestClient]:
    with console(empty, SCREENS) as client:
        yield client


class TestRoles:
    @pytest.mark.parametrize("read_only", [False, True])
    @pytest.mark.parametrize("needed", ["operator", "admin"])
    @pytest.mark.parametrize("role", TOKENS)
    def test_an_action_is_done_by_those_who_may(
        self, empty: Database, tmp_path: Path, role: str, needed: str, read_only: bool
    ) -> None:
        options: dict[str, Any] = {"token_file": token_file(tmp_path), "read_only": read_only}
        with console(empty, SCREENS, **options) as client:
            token = csrf(client, headers=bearer(role))
            form = {"csrf": token, "reason": "x"}
            answer = client.post(f"/act/{needed}", data=form, headers=bearer(role))
        order = list(TOKENS)
        may = order.index(role) >= order.index(needed) and not read_only
        assert answer.status_code == (303 if may else 403)


class TestForms:
    def test_an_action_is_done_once_the_form_is_the_pages_own(self, client: TestClient) -> None:
        answer = client.post("/act/admin", data={"csrf": csrf(client), "reason": "because"})
        assert answer.status_code == 303
        page = client.get("/about").text
        assert "done: because &lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in page
        assert "done: because" not in client.get("/about").text, "it is shown once"

    def test_a_refresh_leaves_what_is_said_to_the_next_page(self, client: TestClient) -> None:
        client.post("/act/admin", data={"csrf": csrf(client), "reason": "because"})
        client.get("/about", headers={"HX-Request": "true"})
        assert "done: because" in client.get("/about").text

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "é"])
    def test_without_the_token_nothing_is_done(self, client: TestClient, token: str) -> None:
        csrf(client)
        answer = client.post("/act/admin", data={"csrf": token, "reason": "x"})
        assert answer.status_code == 403
        assert "another session" in answer.text

    def test_the_token_of_another_session_is_refused(self, client: TestClient) -> None:
        token = csrf(client)
        client.cookies.clear()
        csrf(client)
        assert client.post("/act/admin", data={"csrf": token, "reason": "x"}).status_code == 403

    def test_a_token_without_its_cookie_is_refused(self, client: TestClient) -> None:
        token = csrf(client)
        client.cookies.clear()
        assert client.post("/act/admin", data={"csrf": token, "reason": "x"}).status_code == 403

    def test_the_token_of_another_user_is_refused(self, empty: Database, tmp_path: Path) -> None:
        with console(empty, SCREENS, token_file=token_file(tmp_path)) as client:
            token = csrf(client, headers=bearer("viewer"))
            form = {"csrf": token, "reason": "x"}
            answer = client.post("/act/admin", data=form, headers=bearer("admin"))
        assert answer.status_code == 403

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", ""])
    def test_other_content_is_refused(self, client: TestClient, kind: str) -> None:
        answer = client.post("/act/admin", content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415

    def test_the_browser_says_that_another_site_sent_it(self, client: TestClient) -> None:
        form = {"csrf": csrf(client), "reason": "x"}
        for site in ("cross-site", "same-site"):
            answer = client.post("/act/admin", data=form, headers={"Sec-Fetch-Site": site})
            assert answer.status_code == 403

    def test_a_form_with_parts_is_taken_and_files_are_not(self, client: TestClient) -> None:
        token = csrf(client)
        parts: dict[str, Any] = {"csrf": (None, token), "reason": (None, "x")}
        assert client.post("/act/admin", files=parts).status_code == 303
        file = {**parts, "file": ("name.txt", b"x")}
        assert client.post("/act/admin", files=file).status_code == 400

    def test_many_fields_are_refused(self, client: TestClient) -> None:
        form = {"csrf": csrf(client), **{f"f{n}": "" for n in range(2_001)}}
        assert client.post("/act/admin", data=form).status_code == 400

    def test_an_action_without_a_reason_is_refused(self, client: TestClient) -> None:
        assert client.post("/act/admin", data={"csrf": csrf(client)}).status_code == 400


class TestCookies:
    def test_the_session_is_for_this_site_and_no_script(self, client: TestClient) -> None:
        cookie = client.get("/about").headers["set-cookie"]
        parts = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert parts == {"httponly", "path=/", "samesite=strict"}

    def test_over_https_it_is_secure(self, empty: Database) -> None:
        with console(empty, SCREENS, user_header="X-User") as client:
            headers = {"X-User": "ann", "X-Forwarded-Proto": "https"}
            assert "Secure" in client.get("/about", headers=headers).headers["set-cookie"]

    def test_it_is_sent_once(self, client: TestClient) -> None:
        client.get("/about")
        assert "set-cookie" not in client.get("/about").headers

    @pytest.mark.parametrize("value", ["x", '"><script>', "a" * 4000])
    def test_a_cookie_of_somebody_else_is_replaced(self, client: TestClient, value: str) -> None:
        answer = client.get("/about", headers={"Cookie": f"{COOKIE}={value}; theme={value}"})
        assert answer.status_code == 200
        assert COOKIE in answer.headers["set-cookie"]
        assert "<script>" not in answer.text


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "status", "line"),
        [
            ("wrong", 400, "wrong &lt;script&gt;alert(1)&lt;/script&gt;\\u202e"),
            ("absent", 404, "no such run"),
            ("forbidden", 403, "you may not end runs"),
            ("away", 503, "cannot reach the database"),
        ],
    )
    def test_what_is_raised_on_purpose_is_said(
        self, client: TestClient, kind: str, status: int, line: str
    ) -> None:
        answer = client.get(f"/fail/{kind}")
        assert answer.status_code == status
        assert line in answer.text
        assert client.get(f"/api/fail/{kind}").status_code == status

    def test_a_database_that_is_away_is_asked_again(self, client: TestClient) -> None:
        answer = client.get("/fail/away")
        assert '<meta http-equiv="refresh"' in answer.text
        assert 'data-live="live"' in answer.text
        assert answer.headers["retry-after"]

    def test_a_defect_has_an_id_that_is_in_the_log_and_no_stack(
        self, client: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR, logger="pipelines"):
            page, api = client.get("/fail/defect"), client.get("/api/fail/defect")
        for answer, record in zip((page, api), caplog.records, strict=True):
            assert answer.status_code == 500
            assert "internal-detail" not in answer.text
            assert "Traceback" not in answer.text
            assert record.args is not None
            assert str(next(iter(record.args))) in answer.text
            assert record.exc_info is not None

    @pytest.mark.parametrize(
        "path", ["/nowhere", "/%00", "/%2e%2e/etc", "/" + "a" * 3000, "/é\u202e"]
    )
    def test_an_address_without_a_page_helps(self, client: TestClient, path: str) -> None:
        answer = client.get(path)
        assert answer.status_code == 404
        assert 'href="/"' in answer.text
        assert 'href="/about"' in answer.text

    def test_another_method_says_which_it_takes(self, client: TestClient) -> None:
        answer = client.get("/act/admin")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Accept-Language": HOSTILE.encode()},
            {"Referer": "javascript:alert(1)"},
            {"HX-Request": "<x>", "HX-Current-URL": b"\x7f"},
            {"User-Agent": "x" * 8000},
            {"Cookie": 'theme=dark"; times=<script>'},
            {"Content-Length": "0", "Content-Type": "\xff".encode("latin-1")},
        ],
    )
    def test_hostile_headers_do_nothing(
        self, client: TestClient, headers: dict[str, str | bytes]
    ) -> None:
        answer = client.get("/about", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert "<script>" not in answer.text


class TestTablesOfAnotherVersion:
    @pytest.mark.parametrize(
        ("version", "says"),
        [
            (tables.VERSION - 1, "run `sluice migrate"),
            (tables.VERSION + 1, "install that version or a later"),
        ],
    )
    def test_every_screen_says_so_until_they_are_migrated(
        self, empty: Database, version: int, says: str
    ) -> None:
        migrate.prepare(empty)
        lists = [page.path for page in SCREENS_OF_A_CONSOLE if page.title not in (None, "About")]
        with console(empty) as client:
            _set_version(empty, version)
            for path in [*lists, "/targets/events", "/dead-letters/1", "/orders"]:
                answer = client.get(path)
                assert answer.status_code == 503, path
                assert "The tables have another version" in answer.text
                assert says in answer.text
                assert '<meta http-equiv="refresh"' in answer.text
            assert client.get("/api/dead-letters").status_code == 503
            assert f"version {version}" in client.get("/about").text
            _set_version(empty, tables.VERSION)
            assert {client.get(path).status_code for path in lists} == {200}


def _set_version(database: Database, version: int) -> None:
    with transaction(database, "set the version") as connection:
        connection.execute(sa.update(tables.versions).values(version=version))
