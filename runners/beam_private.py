"""Beam's servers on loopback, where they listen on all interfaces and ask nobody who they are.

Whoever reaches one of them can run a program as this user, or read what the workers are sent.
Beam announces each as ``localhost``, so nothing needs them to listen elsewhere. No option says
so; ``add_insecure_port("[::]:0")`` is written into the modules below.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import grpc
from apache_beam.runners.portability import abstract_job_service, local_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker import worker_pool_main

SERVERS = (
    worker_pool_main,  # the worker that is this process (LOOPBACK)
    worker_handlers,  # control, data, state and logs of workers that are not in_memory
    local_job_service,  # jobs, and the logs of a worker in a process of its own
    abstract_job_service,  # artifacts
)
"""Every module of Beam's that can start a server in a process of this project."""

_LOOPBACK = "127.0.0.1"
_EVERYWHERE = ("[::]", "0.0.0.0", "")  # noqa: S104 - what is replaced
_HERE = ("localhost", _LOOPBACK, "[::1]")


class _Server:
    """A gRPC server that listens on loopback, whatever it is told."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_insecure_port(self, address: str) -> int:
        host, _, port = address.rpartition(":")
        if host in _EVERYWHERE:
            address = f"{_LOOPBACK}:{port}"
        elif host not in _HERE:
            raise RuntimeError(f"Beam would listen on {address}, which others may reach")
        listening: int = self._server.add_insecure_port(address)
        return listening


class _Grpc:
    """The module ``grpc``, for one module of Beam's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(grpc, name)

    @staticmethod
    def server(*arguments: Any, **options: Any) -> _Server:
        return _Server(grpc.server(*arguments, **options))


def listen_on_loopback() -> None:
    """Keep every server that Beam starts in this process on loopback, from now on.

    Raises:
        RuntimeError: Beam is not what this was written for.
    """
    for module in SERVERS:
        if not isinstance(vars(module).get("grpc"), _Grpc):
            _expect(_makes_servers(module), f"{module.__name__} makes its servers otherwise")
            vars(module)["grpc"] = _Grpc()
    # A worker that was started elsewhere on this machine is told the machine's name, at which
    # nothing listens any more.
    external, plain = worker_handlers.ExternalWorkerHandler, worker_handlers.GrpcWorkerHandler
    _expect("host_from_worker" in vars(plain), f"{plain.__name__} announces another address")
    external.host_from_worker = plain.host_from_worker


def _makes_servers(module: ModuleType) -> bool:
    text = inspect.getsource(module)
    return vars(module).get("grpc") is grpc and "grpc.server(" in text and "grpc.aio" not in text


def _expect(as_expected: bool, otherwise: str) -> None:
    if not as_expected:
        raise RuntimeError(
            f"this Beam cannot be kept on loopback: {otherwise} (runners/beam_private.py was "
            "written for 2.77)"
        )
