"""The server: what it says where it cannot listen, and for whom it does not wait."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from pipelines.console.config import ConsoleConfig
from pipelines.console.serving import orders_carried_out, serve
from sinks.bulk.long_orders import get_order, give
from sinks.database.database import Database
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.io.sinks.jobs.stored_jobs import stored
from tests.pipelines.console.pages.stored_letters import letters
from tests.waiting import wait_until
from transforms.batch.job_states import REPLAY
from transforms.errors import ConfigError


def test_a_port_in_use_is_one_line(empty: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ConfigError, match=f"cannot listen on 127.0.0.1:{port}: Address already"
        ):
            serve(ConsoleConfig(empty, ("127.0.0.1", port)), lambda _: None)


def test_a_host_that_is_not_here_is_one_line(empty: Database) -> None:
    with pytest.raises(ConfigError, match="cannot listen"):
        serve(ConsoleConfig(empty, ("127.0.0.1", 70_000)), lambda _: None)


@pytest.mark.parametrize("read_only", [False, True])
def test_long_orders_are_carried_out_unless_it_only_reads(tmp_path: Path, read_only: bool) -> None:
    config, _ = letters(tmp_path, {}, {})
    order = Order.of(REPLAY, JobFilter())
    number = give(config.database, order, actor="ann", reason="repaired")
    with orders_carried_out(ConsoleConfig(config.database, read_only=read_only)):
        if not read_only:
            replayed = ["available"] * 2
            wait_until(lambda: stored(config, "state") == replayed, "both are replayed")
    ended = get_order(config.database, number)
    assert ended is not None
    assert ended.changed == (0 if read_only else 2)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"", id="half a head"),
        pytest.param(
            b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"HTTP/1.1 200 ", id="one request"
        ),
    ],
)
def test_a_connection_on_which_no_head_arrives_in_time_is_closed(
    empty: Database, sent: bytes, answer: bytes
) -> None:
    config = ConsoleConfig(empty, ("127.0.0.1", 0), head_seconds=0.3)
    received = answered(config, sent)
    assert received.startswith(answer)
    assert bool(received) == bool(answer)


def test_a_body_that_does_not_arrive_in_time_is_said(empty: Database) -> None:
    config = ConsoleConfig(empty, ("127.0.0.1", 0), body_seconds=0.3)
    received = answered(
        config,
        b"POST /settings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\ncsrf=",
    )
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in received.lower()
    assert b"did not arrive in time" in received


def answered(config: ConsoleConfig, sent: bytes) -> bytes:
    """What a console answers to these bytes until it closes the connection; then it is ended."""
    parts: list[bytes] = []
    talks: list[threading.Thread] = []

    def talk(address: str) -> None:
        port = int(address.rstrip("/").rpartition(":")[2])
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                client.sendall(sent)
                while part := client.recv(65_536):
                    parts.append(part)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    def begin(address: str) -> None:
        talks.append(threading.Thread(target=talk, args=(address,)))
        talks[0].start()

    serve(config, begin)
    talks[0].join()
    return b"".join(parts)
