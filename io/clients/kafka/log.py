"""The client library's own log lines in Python's logging: no secrets, and not too many."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from transforms.secrets import redact

EVERY_SECONDS = 10.0


class Quiet(logging.Filter):
    """Lets one line of a kind pass in ``EVERY_SECONDS``, at most as a warning, redacted.

    While a broker is away librdkafka says so at every try to connect.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[tuple[str, int], float] = {}
        self._left_out: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        kind = (line.partition(" ")[0], record.levelno)
        now = self._clock()
        with self._lock:
            if now - self._said.get(kind, -EVERY_SECONDS) < EVERY_SECONDS:
                self._left_out[kind] = self._left_out.get(kind, 0) + 1
                return False
            self._said[kind] = now
            more = self._left_out.pop(kind, 0)
        record.msg = redact(line) + (f" (and {more} more like it)" if more else "")
        record.args = ()
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


LOGGER = logging.getLogger("clients.kafka.librdkafka")
LOGGER.addFilter(Quiet())
