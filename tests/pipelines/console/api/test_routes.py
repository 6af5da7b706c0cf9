"""Operations over HTTP: parameters, bodies, who may, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from starlette.testclient import TestClient

from pipelines.console.access.roles import Role
from pipelines.console.api.operation import Operation
from pipelines.console.api.routes import is_list, pages_of
from pipelines.console.pages import about
from pipelines.console.view import View
from sinks.database.database import Database
from tests.pipelines.console.consoles import TOKENS, bearer, console, csrf, token_file

Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]


@dataclass(frozen=True)
class Asked:
    id: int
    limit: Limit = 50
    stage: list[str] = field(default_factory=list)
    order: Literal["new", "old"] = "new"
    after: str | None = None


@dataclass(frozen=True)
class Change:
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    count: int = 1


@dataclass(frozen=True)
class Echo:
    asked: Any
    change: Any = None


def read(_: View, asked: Asked) -> Echo:
    return Echo(asdict(asked))


def write(_: View, asked: Asked, change: Change) -> Echo:
    return Echo(asdict(asked), asdict(change))


OPERATIONS = (
    Operation("GET", "/items/{id}", "read", "Read", read, Echo, Asked),
    Operation("POST", "/items/{id}", "write", "Write", write, Echo, Asked, Change, Role.OPERATOR),
)
SCREENS = (*about.ROUTES, *(page for page in pages_of(OPERATIONS) if "openapi" not in page.path))


@pytest.fixture
def client(empty: Database) -> Iterator[TestClient]:
    with console(empty, SCREENS) as client:
        yield client


def test_parameters_are_read_by_their_types(client: TestClient) -> None:
    answer = client.get("/api/items/7?limit=5&stage=a&stage=b&order=old")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["asked"] == {
        "id": 7,
        "limit": 5,
        "stage": ["a", "b"],
        "order": "old",
        "after": None,
    }


@pytest.mark.parametrize(
    "address",
    [
        *("/api/items/x", "/api/items/1?limit=0", "/api/items/1?limit=501", "/api/items/1?limit=x"),
        *("/api/items/1?order=other", "/api/items/1?unknown=1", "/api/items/1?limit=1&limit=2"),
        *("/api/items/1?id=2", "/api/items/1?limit=" + "9" * 5000, "/api/items/1?limit=NaN"),
        *("/api/items/%00", "/api/items/1?limit="),
    ],
)
def test_a_wrong_parameter_is_one_line(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 400
    assert answer.json().keys() == {"error"}
    assert "\n" not in answer.json()["error"]


BODIES = [
    *(b"", b"{", b"[]", b"null", b'"x"', b'{"reason": 1}', b'{"reason": ""}', b"{}", b"\xff"),
    *(b'{"reason": "x", "count": "1"}', b'{"reason": "x", "count": 1e400}', b"[" * 100_000),
    b'{"reason": "' + b"x" * 101 + b'"}',
]


@pytest.mark.parametrize("body", BODIES)
def test_a_wrong_body_is_one_line(client: TestClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "X-CSRF-Token": csrf(client)}
    answer = client.post("/api/items/1", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json().keys() == {"error"}


def test_a_page_of_the_console_writes_with_its_token(client: TestClient) -> None:
    token = csrf(client)
    change = {"reason": "x"}
    with_token = client.post("/api/items/1", json=change, headers={"X-CSRF-Token": token})
    assert with_token.json()["change"] == {"reason": "x", "count": 1}
    for headers in ({}, {"X-CSRF-Token": "x"}):
        assert client.post("/api/items/1", json=change, headers=headers).status_code == 403
    client.cookies.clear()
    without_cookie = client.post("/api/items/1", json=change, headers={"X-CSRF-Token": token})
    assert without_cookie.status_code == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken(client: TestClient, kind: str) -> None:
    headers = {"Content-Type": kind, "X-CSRF-Token": csrf(client)}
    answer = client.post("/api/items/1", content=b'{"reason": "x"}', headers=headers)
    assert answer.status_code == 415
    assert answer.json().keys() == {"error"}


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("role", TOKENS)
def test_a_token_writes_as_its_role_may(
    empty: Database, tmp_path: Path, role: str, read_only: bool
) -> None:
    with console(empty, SCREENS, token_file=token_file(tmp_path), read_only=read_only) as client:
        answer = client.post("/api/items/1", json={"reason": "x"}, headers=bearer(role))
        assert client.get("/api/items/1", headers=bearer(role)).status_code == 200
    assert answer.status_code == (403 if role == "viewer" or read_only else 200)


def test_which_parameters_may_be_repeated() -> None:
    assert is_list(list[str])
    assert is_list(tuple[str, ...])
    assert not is_list(str)
