"""One line every 30 seconds on how a stream does, in its log."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.telemetry.reading import Reading, line_of
from sinks.runs.process_figures import figures

SECONDS = 30.0

_log = logging.getLogger(__name__)


@contextmanager
def beating(seconds: float = SECONDS, level: int = logging.INFO) -> Iterator[None]:
    """Log a line every ``seconds`` seconds while the block runs."""
    stopped = threading.Event()

    def loop() -> None:
        before = Reading.now()
        while not stopped.wait(seconds):
            now = Reading.now()
            tell(now, before, level)
            before = now

    thread = threading.Thread(target=loop, name="pulse", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def tell(now: Reading, before: Reading, level: int = logging.INFO) -> None:
    """Log what happened between two readings."""
    age = now.age(before)
    _log.log(
        level,
        "%s",
        line_of(now, before, streaming=True),
        extra={
            "records": now.records,
            "records_per_second": now.rate(before),
            "lag": now.lag,
            "lag_by_source": figures()["lag"],
            "dead": now.dead,
            "retrying": now.retrying,
            "freshness_seconds": None if age == float("inf") else age,
            "seconds_since_commit": now.since_commit,
            "away": dict(now.away),
            "held": dict(now.held),
        },
    )
