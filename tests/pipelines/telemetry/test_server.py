"""What is answered over HTTP, to well-meaning and to other clients."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, Gauge

from pipelines.telemetry import server
from pipelines.telemetry.server import Health, Probe, serving
from transforms.errors import ConfigError

WELL = Health(True)


@contextmanager
def served(live: Probe = lambda: WELL, ready: Probe = lambda: WELL) -> Iterator[int]:
    registry = CollectorRegistry()
    Gauge("sluice_test", "a figure", registry=registry).set(7)
    with serving(("127.0.0.1", 0), registry, live=live, ready=ready) as port:
        yield port


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_text_for_prometheus() -> None:
    with served() as port:
        status, body = get(port, "/metrics")
    assert status == 200
    assert "\nsluice_test 7.0\n" in body


@pytest.mark.parametrize("path", ["/live", "/ready"])
def test_a_probe_says_why_not(path: str) -> None:
    ill = Health.of(["the database is away"], {"lag": 3})
    with served(live=lambda: ill, ready=lambda: ill) as port:
        status, body = get(port, path)
    assert status == 503
    assert json.loads(body) == {"ok": False, "reasons": ["the database is away"], "lag": 3}
    with served() as port:
        assert get(port, path) == (200, '{"ok": true, "reasons": []}\n')


def test_other_paths_and_methods_are_refused() -> None:
    with served() as port:
        status, body = get(port, "/")
        assert status == 404
        assert "/metrics, /live, /ready" in body
        assert get(port, "/metrics", "POST")[0] == 405


def test_a_client_that_says_nothing_holds_nobody_up() -> None:
    with served() as port, socket.create_connection(("127.0.0.1", port)):
        assert get(port, "/live")[0] == 200


def test_a_client_that_goes_away_leaves_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    with served() as port:
        for request in (b"", b"GET", b"GET /metrics HTTP/1.1\r\n\r\n", b"\x00\xff\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(request)
        assert get(port, "/live")[0] == 200
    assert capfd.readouterr().err == ""


def test_only_so_many_are_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_REQUESTS", 1)
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> Health:
        asked.set()
        go_on.wait(30)
        return WELL

    with served(ready=slow) as port:
        first = threading.Thread(target=get, args=(port, "/ready"))
        first.start()
        assert asked.wait(30)
        assert get(port, "/live")[0] == 503
        go_on.set()
        first.join()


def test_an_address_that_is_taken_is_said_in_one_line() -> None:
    with served() as port:
        address = ("127.0.0.1", port)
        with (
            pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: Address already"),
            serving(address, CollectorRegistry(), live=lambda: WELL, ready=lambda: WELL),
        ):
            pass


def test_a_name_that_means_no_address_is_said_in_one_line() -> None:
    with (
        pytest.raises(ConfigError, match=r"cannot listen on no-such-host\.invalid:0"),
        serving(
            ("no-such-host.invalid", 0), CollectorRegistry(), live=lambda: WELL, ready=lambda: WELL
        ),
    ):
        pass


def test_an_ipv6_address_can_be_listened_on() -> None:
    address = ("::1", 0)
    with (
        serving(address, CollectorRegistry(), live=lambda: WELL, ready=lambda: WELL) as port,
        urllib.request.urlopen(f"http://[::1]:{port}/live", timeout=30) as answer,
    ):
        assert answer.status == 200
