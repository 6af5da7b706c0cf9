from __future__ import annotations

import socket

import pytest

from runners import ports
from runners.runner import RunnerUnavailable


def test_free_ports_are_distinct_and_can_be_used() -> None:
    numbers = ports.free_ports(3)
    assert len(set(numbers)) == 3
    for number in numbers:
        socket.create_server(("127.0.0.1", number)).close()


def test_a_port_that_somebody_uses_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as user:
        taken = user.getsockname()[1]
        monkeypatch.setattr(ports, "_PORTS", range(taken, taken + 1))
        monkeypatch.setattr(ports, "_ATTEMPTS", 1)
        with pytest.raises(RunnerUnavailable, match=rf"fewer than 1 of the ports from {taken}"):
            ports.free_ports(1)
