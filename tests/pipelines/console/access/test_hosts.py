"""Host names, and addresses of this machine."""

from __future__ import annotations

import pytest

from pipelines.console.access.hosts import host_of, is_forwarded, is_loopback, is_ours


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.evil.example", "127.1"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "header", ["localhost", "localhost:8400", "127.0.0.1:1", "[::1]:8400", "localhost.:8400"]
)
def test_this_machine(header: str) -> None:
    assert is_ours(header, "127.0.0.1")


@pytest.mark.parametrize(
    "header",
    [
        *(
            "evil.example",
            "127.0.0.1.evil.example",
            "evil.example:8400",
            "",
            ":8400",
            "[::1",
            "::1",
        ),
        *("localhost@evil.example", "evil.example/localhost", "localhost:8400x", "a,localhost"),
    ],
)
def test_another_name(header: str) -> None:
    assert not is_ours(header, "127.0.0.1")


def test_the_host_of_a_header_has_no_port() -> None:
    assert host_of("Example.ORG:80") == "example.org"


@pytest.mark.parametrize("name", ["forwarded", "x-forwarded-for", "x-forwarded-anything", "via"])
def test_headers_of_proxies(name: str) -> None:
    assert is_forwarded(["host", name])
    assert not is_forwarded(["host", "accept", "x-forward"])
