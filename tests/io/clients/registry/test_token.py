from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator

import pytest
import urllib3

from clients.registry.http import pool_of
from clients.registry.token import Tokens
from tests.io.clients.registry.servers import Answer, Asked, serving
from transforms.errors import ServiceUnavailable, SourceRefused


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    pool = pool_of({})
    yield pool
    pool.clear()


def settings(url: str) -> dict[str, str]:
    return {
        "bearer.auth.issuer.endpoint.url": url,
        "bearer.auth.client.id": "an app",
        "bearer.auth.client.secret": "hun:ter2",
        "bearer.auth.scope": "read all",
    }


def test_a_token_is_used_for_most_of_its_life(pool: urllib3.PoolManager) -> None:
    tokens = iter(("first", "second", "third"))
    answer = lambda _: (200, {"access_token": next(tokens), "expires_in": 100})
    clock = Clock()
    with serving(answer) as server:
        held = Tokens(pool, settings(server.url), clock)
        assert [held.current(), held.current()] == ["first", "first"]
        clock.now = 79.0
        assert held.current() == "first"
        clock.now = 80.0
        assert held.current() == "second"
        held.forget()
        assert held.current() == "third"
    asked: Asked = server.asked[0]
    assert asked.body == b"grant_type=client_credentials&scope=read+all"
    log_in = asked.headers["authorization"].removeprefix("Basic ")
    assert b64decode(log_in) == b"an%20app:hun%3Ater2"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {}), SourceRefused),
        ((400, {"error": "invalid_client"}), SourceRefused),
        ((503, b""), ServiceUnavailable),
        ((200, b"no json"), ServiceUnavailable),
        ((200, {"token": "x"}), ServiceUnavailable),
        ((200, []), ServiceUnavailable),
    ],
)
def test_no_token(answer: Answer, error: type[Exception], pool: urllib3.PoolManager) -> None:
    with serving(lambda _: answer) as server, pytest.raises(error) as caught:
        Tokens(pool, settings(server.url)).current()
    assert "ter2" not in str(caught.value)
