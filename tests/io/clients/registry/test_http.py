from __future__ import annotations

import socket

import pytest
import urllib3

from clients.registry import http
from clients.registry.http import AnswerTooLong, pool_of, request
from runners.ports import free_ports
from tests.io.clients.registry.servers import serving
from transforms.errors import ConfigError, ServiceUnavailable


def asked(url: str) -> tuple[int, bytes]:
    pool = pool_of({})
    try:
        return request(pool, "GET", url, {})
    finally:
        pool.clear()


def test_an_answer_and_its_status() -> None:
    with serving(lambda _: (404, b"no")) as server:
        assert asked(server.url) == (404, b"no")


def test_a_longer_answer_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 100)
    with serving(lambda _: (200, b"x" * 100_000)) as server, pytest.raises(AnswerTooLong):
        asked(server.url)


def test_a_redirection_is_not_followed() -> None:
    with serving(lambda _: (302, b"")) as server:
        assert asked(server.url)[0] == 302
        assert len(server.asked) == 1


def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    with pytest.raises(ServiceUnavailable, match="NewConnectionError"):
        asked(f"http://127.0.0.1:{port}/")


def test_who_does_not_answer_in_time_is_away() -> None:
    pool = urllib3.PoolManager(timeout=0.05, retries=False)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(ServiceUnavailable, match="ReadTimeout"):
        request(pool, "GET", f"http://127.0.0.1:{silent.getsockname()[1]}/", {})
    pool.clear()


def test_an_answer_that_takes_too_long_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_WHOLE_SECONDS", -1.0)
    late = pytest.raises(ServiceUnavailable, match="takes longer")
    with serving(lambda _: (200, b"x")) as server, late:
        asked(server.url)


def test_a_file_of_certificates_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="No such file"):
        pool_of({"ssl.ca.location": "/nowhere/ca.pem"})
