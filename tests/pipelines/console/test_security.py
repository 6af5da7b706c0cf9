"""Headers on every answer, and limits of requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from pipelines.console import security
from pipelines.console.security import HEADERS, MOST_BODY, MOST_HEAD, Guard


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/about", 200), ("GET", "/", 200), ("GET", "/nowhere", 404)),
        *(("GET", "/live", 200), ("GET", "/ready", 200), ("GET", "/static/console.js", 200)),
        *(("GET", "/static/nothing", 404), ("GET", "/api/about", 200), ("GET", "/api/x", 404)),
        *(("POST", "/about", 405), ("POST", "/settings", 415), ("TRACE", "/about", 405)),
        *(("OPTIONS", "/api/about", 405), ("PROPFIND", "/", 405), ("GET", "/settings", 405)),
    ],
)
def test_every_answer_has_the_headers(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "cache-control" in answer.headers
    assert "server" not in answer.headers


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = dict(
        part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_head_is_get_without_a_body(client: TestClient) -> None:
    head, get = client.head("/about"), client.get("/about")
    assert (head.status_code, head.content) == (get.status_code, b"")


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 65_536):
        yield b"x" * 65_536


def test_a_body_is_bounded_whether_or_not_its_length_is_said(client: TestClient) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    said = client.post("/settings", content=b"x" * (MOST_BODY + 1), headers=form)
    streamed = client.post("/settings", content=chunks(MOST_BODY + 65_536), headers=form)
    assert (said.status_code, streamed.status_code) == (413, 413)
    assert "content-security-policy" in streamed.headers


def test_a_head_is_bounded_although_it_comes_at_once(client: TestClient) -> None:
    half = "x" * (MOST_HEAD // 2)
    assert client.get("/about", headers={"x-one": half}).status_code == 200
    headers = client.get("/about", headers={"x-one": half, "x-two": half})
    assert client.get(f"/about?x={half}").status_code == 200
    address = client.get(f"/about?x={half}{half}")
    assert (headers.status_code, address.status_code) == (431, 431)
    assert headers.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_a_length_that_is_no_number_is_refused(client: TestClient) -> None:
    for length in ("-1", "1e3", "x"):
        answer = client.post("/settings", headers={"Content-Length": length})
        assert answer.status_code == 400


def test_too_many_requests_at_once_are_refused_and_the_probe_is_not() -> None:
    statuses: list[int] = []

    async def asked(guard: Guard, path: str) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        await guard(scope, receive, send)

    async def main() -> None:
        busy, free = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, _: Receive, send: Send) -> None:
            if scope["path"] == "/slow":
                busy.set()
                await free.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        guard = Guard(app, most_requests=1)
        slow = asyncio.create_task(asked(guard, "/slow"))
        await busy.wait()
        await asked(guard, "/about")
        await asked(guard, "/live")
        free.set()
        await slow
        await asked(guard, "/about")

    asyncio.run(main())
    assert statuses == [503, 200, 200, 200]


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_an_answer_waits_for_the_body_that_nobody_wants(method: str) -> None:
    events = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"nothing"})

    parts = iter((b"one", b"two"))

    async def receive() -> Message:
        body = next(parts)
        events.append("part")
        return {"type": "http.request", "body": body, "more_body": body == b"one"}

    async def send(message: Message) -> None:
        events.append(message["type"])

    scope = {"type": "http", "method": method, "path": "/", "headers": []}
    asyncio.run(Guard(app)(scope, receive, send))
    assert events == ["http.response.start", "part", "part", "http.response.body"]


def test_an_answer_does_not_wait_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "LINGER_SECONDS", 0.01)
    answered = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        answered.append(message)

    async def app(*_: object) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "DELETE", "path": "/", "headers": []}
    asyncio.run(Guard(app)(scope, receive, send))
    assert [message.get("status") for message in answered] == [405, None]
