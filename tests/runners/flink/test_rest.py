"""Calls of Flink's REST API: an answer, or one line about what is wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runners.flink.rest import FlinkRefused, FlinkRest, FlinkUnreachable


@contextmanager
def answering(status: int, body: str) -> Iterator[FlinkRest]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield FlinkRest(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("master", ["ftp://a:1", "http://", "a:port"])
def test_a_master_that_is_none_is_refused(master: str) -> None:
    with pytest.raises(FlinkUnreachable, match="--flink_master"):
        FlinkRest(master)


@pytest.mark.parametrize(
    ("master", "address"),
    [
        ("a:1", "http://a:1"),
        ("a", "http://a:8081"),
        ("https://a/flink/", "https://a:443/flink"),
    ],
)
def test_a_master_may_be_written_with_or_without_scheme_and_port(master: str, address: str) -> None:
    assert FlinkRest(master).address == address


def test_an_answer_is_decoded() -> None:
    with answering(200, '{"jobs": []}') as rest:
        assert rest.get("/jobs") == {"jobs": []}


def test_a_refusal_is_the_first_line_of_the_last_error() -> None:
    errors = {"errors": ["Internal", "Job not found\n\tat java"]}
    with (
        answering(404, json.dumps(errors)) as rest,
        pytest.raises(FlinkRefused, match=r" refused GET /jobs/1: Job not found$"),
    ):
        rest.get("/jobs/1")


def test_what_does_not_speak_json_is_not_a_job_manager() -> None:
    with (
        answering(200, "<html>") as rest,
        pytest.raises(FlinkUnreachable, match="is not a Flink JobManager"),
    ):
        rest.get("/jobs")
