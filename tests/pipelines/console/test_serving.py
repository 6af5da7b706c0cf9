"""The server: what it says where it cannot listen."""

from __future__ import annotations

import socket

import pytest

from pipelines.console.config import ConsoleConfig
from pipelines.console.serving import serve
from sinks.database.database import Database
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
