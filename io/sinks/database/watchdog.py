"""Cut the connection of a transaction that takes too long.

No time-out of TCP or PostgreSQL notices a server that hangs while its kernel still acknowledges
(a stopped process, a pooler that lost its server): the client would wait for an answer forever.
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

    The driver then reports a lost connection. A driver without a socket (SQLite's) has time-outs
    of its own and is left alone.
    """
    driver: Any = connection.connection.dbapi_connection
    if not hasattr(driver, "fileno"):
        yield
        return
    # A duplicate: the driver may close its descriptor meanwhile, and the number may be reused.
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
    with suppress(OSError):  # it has ended already
        connected.shutdown(socket.SHUT_RDWR)
