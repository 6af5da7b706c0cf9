"""An address is a job server's, or one line says what it is instead."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runners.flink import job_server
from runners.runner import RunnerUnavailable
from tests.services import beam_job_server


def refusal(endpoint: str) -> str:
    with pytest.raises(RunnerUnavailable) as caught:
        job_server.check(endpoint)
    (line,) = str(caught.value).splitlines()
    return line


@contextmanager
def web_server(answer: object) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_a_job_server_is_taken() -> None:
    with beam_job_server.answering() as endpoint:
        job_server.check(endpoint)


def test_the_port_of_the_job_manager_is_said_to_be_that() -> None:
    with web_server({"flink-version": "1.20.1"}) as endpoint:
        assert "is Flink's JobManager" in refusal(endpoint)


def test_another_web_server_is_no_job_server() -> None:
    with web_server({}) as endpoint:
        assert refusal(endpoint).startswith(f"no job server at --job_endpoint {endpoint}")


def test_a_port_where_nothing_answers_does_not_hold_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_server, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"127.0.0.1:{silent.getsockname()[1]}"
        assert refusal(endpoint).startswith(f"no job server at --job_endpoint {endpoint}")


@pytest.mark.parametrize("endpoint", ["nonsense", ":8099", "host:", "http://host:port"])
def test_what_is_no_address_is_refused_before_anything_is_asked(endpoint: str) -> None:
    assert "write host:port" in refusal(endpoint)
