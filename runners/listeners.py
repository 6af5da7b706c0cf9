"""Which ports of a process are reachable from other machines."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import psutil


def beyond_loopback(pid: int) -> list[str]:
    """The addresses beyond loopback on which a process or its descendants take TCP connections.

    Args:
        pid: A process of this user; one that has ended listens nowhere.
    """
    return sorted(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        for member in _family(pid)
        for host, port in _listening(member)
        if not _is_loopback(host)
    )


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _listening(process: psutil.Process) -> Iterator[tuple[str, int]]:
    try:
        connections = process.net_connections(kind="tcp")
    except psutil.NoSuchProcess:
        return
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN:
            yield connection.laddr.ip, connection.laddr.port


def _is_loopback(host: str) -> bool:
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
