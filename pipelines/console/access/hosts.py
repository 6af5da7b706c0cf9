"""Which host names a request may have been sent to, and which addresses are of this machine alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

FORWARDED = frozenset({"forwarded", "via", "x-real-ip"})
"""Headers of proxies, besides those that begin with ``x-forwarded-``."""


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach an address.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The host of a ``Host`` header, without its port; empty if it is none.

    >>> host_of("localhost:8400"), host_of("[::1]:8400"), host_of("a b"), host_of("[::1]x")
    ('localhost', '::1', '', '')
    """
    host, port = header, ""
    if header.startswith("["):
        host, closed, port = header[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            return ""
    elif ":" in header:
        host, _, port = header.partition(":")
    port = port.removeprefix(":")
    wrong = any(sign in host for sign in "/\\@?# \t,") or (port and not port.isdecimal())
    return "" if wrong else host.lower().rstrip(".")


def is_ours(header: str, listen: str) -> bool:
    """Whether a request without login was sent to this machine by name, or to the listen address.

    A page elsewhere can make its own name stand for 127.0.0.1, but not change what the browser says.
    """
    host = host_of(header)
    return bool(host) and (is_loopback(host) or host == listen.lower())


def is_forwarded(names: Iterable[str]) -> bool:
    """Whether a proxy has passed the request on, by the names of its headers in lower case."""
    return any(name in FORWARDED or name.startswith("x-forwarded-") for name in names)
