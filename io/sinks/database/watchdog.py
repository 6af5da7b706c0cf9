"""Cut the connection of a transaction that takes too long.

A server that hangs while its kernel still acknowledges (a stopped process, a pooler that lost
its server) is noticed by none of TCP's and PostgreSQL's own time-outs: the client would wait for
its answer for ever.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa


@contextmanager
def watched(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Shut the connection's socket down unless the block ends within ``seconds``.

    The driver then raises that the connection is lost. A driver without a socket (SQLite's)
    has time-outs of its own and is left alone.
    """
    driver: Any = connection.connection.dbapi_connection
    if not hasattr(driver, "fileno"):
        yield
        return
    # A descriptor of our own: the driver's may be closed meanwhile, and its number given to another.
    with socket.socket(fileno=os.dup(driver.fileno())) as copy:
        timer = threading.Timer(seconds, _shut_down, (copy,))
        timer.name = "watchdog"
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        connected.shutdown(socket.SHUT_RDWR)
