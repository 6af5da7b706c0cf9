"""The client library's log lines in Python's logging, without secrets and limited in number."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from transforms.secrets import redact

EVERY_SECONDS = 10.0


class RateLimit(logging.Filter):
    """Passes one line of each kind in ``EVERY_SECONDS``, redacted, and as a warning at most.

    While a broker is away, librdkafka logs every attempt to connect.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._passed_at: dict[tuple[str, int], float] = {}
        self._suppressed: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        kind = (line.partition(" ")[0], record.levelno)
        now = self._clock()
        with self._lock:
            if now - self._passed_at.get(kind, -EVERY_SECONDS) < EVERY_SECONDS:
                self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
                return False
            self._passed_at[kind] = now
            more = self._suppressed.pop(kind, 0)
        record.msg = redact(line) + (f" (and {more} more like it)" if more else "")
        record.args = ()
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


LOGGER = logging.getLogger("clients.kafka.librdkafka")
LOGGER.addFilter(RateLimit())
