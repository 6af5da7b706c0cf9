"""The client library's log lines in Python's logging, without secrets and limited in number."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from transforms.per_process import PerProcess
from transforms.secrets import redact

EVERY_SECONDS = 10.0


@dataclass(slots=True)
class _Passed:
    """When the last line of each kind passed, and how many have been suppressed since."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at: dict[tuple[str, int], float] = field(default_factory=dict)
    suppressed: dict[tuple[str, int], int] = field(default_factory=dict)


class RateLimit(logging.Filter):
    """Passes one line of each kind in ``EVERY_SECONDS``, redacted, and as a warning at most.

    While a broker is away, librdkafka logs every attempt to connect.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # A forked child may find the lock taken by a thread that it does not have.
        self._passed = PerProcess[None, _Passed](lambda _: _Passed())

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        kind = (line.partition(" ")[0], record.levelno)
        now = self._clock()
        passed = self._passed.get(None)
        with passed.lock:
            if now - passed.at.get(kind, -EVERY_SECONDS) < EVERY_SECONDS:
                passed.suppressed[kind] = passed.suppressed.get(kind, 0) + 1
                return False
            passed.at[kind] = now
            more = passed.suppressed.pop(kind, 0)
        record.msg = redact(line) + (f" (and {more} more like it)" if more else "")
        record.args = ()
        record.service = "kafka"
        if record.levelno > logging.WARNING:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


LOGGER = logging.getLogger("clients.kafka.librdkafka")
LOGGER.addFilter(RateLimit())
