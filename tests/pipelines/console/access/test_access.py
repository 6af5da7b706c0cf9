"""Who is let in, and with which role."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from pipelines.console.access import logins
from pipelines.console.access.access import Access
from pipelines.console.access.roles import Role
from pipelines.console.config import ConsoleConfig
from sinks.database.database import Database
from tests.pipelines.console.consoles import TOKENS, bearer, console, token_file
from transforms.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "LONGEST_DELAY", 0.0)


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def users(folder: Path) -> Path:
    path = folder / "users"
    path.write_text(f"ann:operator:{bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode()}\n")
    path.chmod(0o600)
    return path


class TestOptions:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
    def test_without_a_login_it_refuses_to_answer_others(self, empty: Database, host: str) -> None:
        with pytest.raises(ConfigError, match="--users, --token_file or --user_header"):
            Access.of(ConsoleConfig(empty, (host, 8400)))

    @pytest.mark.parametrize(
        "options",
        [
            {"role_header": "X-Role"},
            {"user_header": "X User"},
            {"user_header": "X-User", "role_header": "X-User"},
            {"user_header": "X-User", "users": Path("users")},
        ],
    )
    def test_options_that_contradict_each_other(
        self, empty: Database, options: dict[str, Any], tmp_path: Path
    ) -> None:
        if "users" in options:
            options = {**options, "users": users(tmp_path)}
        with pytest.raises(ConfigError):
            Access.of(ConsoleConfig(empty, **options))

    def test_with_a_login_it_answers_others(self, empty: Database, tmp_path: Path) -> None:
        config = ConsoleConfig(empty, ("0.0.0.0", 8400), token_file=token_file(tmp_path))
        access = Access.of(config)
        assert not access.open
        access.close()


class TestLoopback:
    def test_the_user_of_the_process_is_an_admin(self, empty: Database) -> None:
        with console(empty) as client:
            assert client.get("/api/about").json()["role"] == "admin"

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-Forwarded-For": "1.2.3.4"},
            {"Forwarded": "for=1.2.3.4"},
            {"Via": "1.1 proxy"},
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example:8400"},
        ],
    )
    @pytest.mark.parametrize("path", ["/about", "/api/about", "/nowhere"])
    def test_requests_from_elsewhere_are_refused(
        self, empty: Database, headers: dict[str, str], path: str
    ) -> None:
        with console(empty) as client:
            answer = client.get(path, headers=headers)
            assert answer.status_code == 403
            assert "navigation" not in answer.text
            assert "console.db" not in answer.text


class TestLogins:
    @pytest.mark.parametrize("role", TOKENS)
    def test_a_bearer_token(self, empty: Database, tmp_path: Path, role: str) -> None:
        with console(empty, token_file=token_file(tmp_path)) as client:
            about = client.get("/api/about", headers=bearer(role)).json()
            assert (about["user"], about["role"]) == (role, role)

    def test_a_browser_sends_name_and_token(self, empty: Database, tmp_path: Path) -> None:
        with console(empty, token_file=token_file(tmp_path)) as client:
            right = client.get("/api/about", headers=basic("viewer", TOKENS["viewer"]))
            assert right.json()["role"] == "viewer"
            wrong = client.get("/api/about", headers=basic("admin", TOKENS["viewer"]))
            assert wrong.status_code == 401

    def test_a_password(self, empty: Database, tmp_path: Path) -> None:
        with console(empty, users=users(tmp_path)) as client:
            for _ in range(2):  # the second time from the cache
                about = client.get("/api/about", headers=basic("ann", "secret")).json()
                assert (about["user"], about["role"]) == ("ann", "operator")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            basic("ann", "wrong"),
            basic("bo", "secret"),
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
            {"Authorization": "Bearer " + "x" * 32},
            {"Authorization": "Negotiate abc"},
        ],
    )
    @pytest.mark.parametrize("path", ["/about", "/nowhere", "/api/openapi.json"])
    def test_others_are_asked_to_log_in(
        self, empty: Database, tmp_path: Path, headers: dict[str, str], path: str
    ) -> None:
        with console(empty, users=users(tmp_path)) as client:
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")

    def test_two_logins_in_one_request_are_refused(self, empty: Database, tmp_path: Path) -> None:
        with console(empty, token_file=token_file(tmp_path)) as client:
            twice = [("Authorization", f"Bearer {TOKENS['viewer']}")] * 2
            assert client.get("/about", headers=twice).status_code == 400

    def test_a_failure_is_logged_without_the_password(
        self, empty: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with (
            caplog.at_level(logging.WARNING, logger="pipelines"),
            console(empty, users=users(tmp_path)) as client,
        ):
            client.get("/about", headers=basic("ann\x1b[2J", "my-password"))
        (line,) = [record.getMessage() for record in caplog.records]
        assert "ann" in line
        assert "my-password" not in line
        assert "\x1b" not in line

    def test_probes_and_files_need_no_login(self, empty: Database, tmp_path: Path) -> None:
        with console(empty, users=users(tmp_path)) as client:
            for path in ("/live", "/ready", "/static/console.css"):
                assert client.get(path).status_code == 200


class TestProxy:
    OPTIONS: dict[str, Any] = {  # noqa: RUF012 - only read
        "user_header": "X-User",
        "role_header": "X-Role",
        "listen": ("0.0.0.0", 8400),
        "role": Role.OPERATOR,
    }

    @pytest.mark.parametrize(
        ("headers", "role"),
        [
            ({"X-User": "ann"}, "operator"),
            ({"X-User": "ann", "X-Role": "admin"}, "admin"),
            ({"X-User": "ann", "X-Role": " Viewer "}, "viewer"),
        ],
    )
    def test_it_names_user_and_role(
        self, empty: Database, headers: dict[str, str], role: str
    ) -> None:
        with console(empty, **self.OPTIONS) as client:
            headers = {**headers, "X-Forwarded-For": "1.2.3.4", "Host": "console.example"}
            about = client.get("/api/about", headers=headers).json()
            assert (about["user"], about["role"]) == ("ann", role)

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ([], 401),
            ([("X-User", "")], 401),
            ([("X-User", "a" * 101)], 401),
            ([("X-User", "a\tb")], 401),
            ([("X-User", "ann"), ("X-User", "bo")], 401),
            ([("X-User", "ann"), ("X-Role", "root")], 403),
            ([("X-User", "ann"), ("X-Role", "")], 403),
            ([("X-User", "ann"), ("X-Role", "admin"), ("X-Role", "viewer")], 403),
        ],
    )
    def test_what_is_unclear_is_refused(
        self, empty: Database, headers: list[tuple[str, str]], status: int
    ) -> None:
        with console(empty, **self.OPTIONS) as client:
            assert client.get("/about", headers=headers).status_code == status

    def test_names_are_utf_8(self, empty: Database) -> None:
        with console(empty, **self.OPTIONS) as client:
            about = client.get("/api/about", headers={b"X-User": "Jürgen".encode()}).json()
            assert about["user"] == "Jürgen"
