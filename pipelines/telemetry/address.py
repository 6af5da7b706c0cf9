"""The address that a process listens on, as a user writes it."""

from __future__ import annotations

import argparse

LOOPBACK = "127.0.0.1"


def address(text: str) -> tuple[str, int]:
    """The type of a flag that takes ``HOST:PORT``, ``:PORT`` or ``PORT``: host and port.

    Without a host, only programs of this machine reach the port.

    Raises:
        argparse.ArgumentTypeError: It is none of these.

    >>> address("9400"), address("[::1]:9400")
    (('127.0.0.1', 9400), ('::1', 9400))
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or LOOPBACK
    if not (port.isascii() and port.isdigit() and 0 <= int(port) <= 65_535):
        raise argparse.ArgumentTypeError(f"write HOST:PORT or PORT, got {text!r}")
    return host, int(port)
