"""That what Beam starts in this process listens on loopback, wherever Beam says."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apache_beam as beam
import psutil
import pytest
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

from runners import beam_private

STARTED_ELSEWHERE = {
    "expansion_service_main.py",  # a program of its own
    "test_stream_service.py",  # Beam's tests; on localhost
}


def listening() -> set[tuple[str, int]]:
    """Where this process listens; what the session's other services do is not among it."""
    return {
        (each.laddr.ip.removeprefix("::ffff:"), each.laddr.port)
        for each in psutil.Process().net_connections(kind="tcp")
        if each.status == psutil.CONN_LISTEN
    }


@pytest.fixture(autouse=True)
def on_loopback() -> None:
    beam_private.listen_on_loopback()


def test_the_pool_of_workers_listens_on_loopback() -> None:
    before = listening()
    address, server = BeamFnExternalWorkerPoolServicer.start()
    try:
        port = int(address.removeprefix("localhost:"))
        assert listening() - before == {("127.0.0.1", port)}
    finally:
        server.stop(None).wait()


def test_what_serves_other_workers_of_the_in_process_runner_listens_on_loopback() -> None:
    before = listening()
    server = worker_handlers.GrpcServer(None, None, None)
    try:
        ports = (server.control_port, server.data_port, server.state_port, server.logging_port)
        assert listening() - before == {("127.0.0.1", port) for port in ports}
    finally:
        server.close()


def test_a_worker_that_was_started_elsewhere_is_told_where_that_is() -> None:
    external: Any = object.__new__(worker_handlers.ExternalWorkerHandler)
    assert external.port_from_worker(7) == "localhost:7"


def test_every_server_of_beams_is_known() -> None:
    """A new one would listen on all interfaces until somebody reads it."""
    folder = Path(beam.__file__).parent
    found = {
        path
        for path in folder.rglob("*.py")
        if not path.name.endswith("_test.py")
        and re.search(r"add_(in)?secure_port\(", path.read_text())
    }
    known = {Path(str(module.__file__)) for module in beam_private.SERVERS}
    assert {each.name for each in found - known} == STARTED_ELSEWHERE
    assert known <= found


def test_a_beam_that_makes_its_servers_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_handlers, "grpc", SimpleNamespace())
    with pytest.raises(RuntimeError, match=r"worker_handlers makes its servers otherwise"):
        beam_private.listen_on_loopback()


def test_an_address_of_this_machine_is_refused() -> None:
    server: Any = vars(worker_handlers)["grpc"].server(None)
    with pytest.raises(RuntimeError, match=r"192\.0\.2\.1:0, which others may reach"):
        server.add_insecure_port("192.0.2.1:0")
