"""The server: what it says where it cannot listen."""

from __future__ import annotations

import socket
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
