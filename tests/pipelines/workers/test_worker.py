"""A worker reads what it is assigned, reports, and passes its log on; without an order it ends."""

from __future__ import annotations

import logging
import pickle
import sys

from pipelines.workers.messages import Logged
from pipelines.workers.worker import _Handler, serve
from runners.workers.pool import forked


def never(*args: object, **options: object) -> object:
    raise AssertionError("there was no order to build anything")


def test_a_worker_without_an_order_ends() -> None:
    with forked(2, lambda line: serve(line, None, None, never)) as workers:  # type: ignore[arg-type]
        workers[0].line.close()
        assert workers[0].ended(30)
        assert workers[0].end_in_words == "ended with exit code 0"


def test_a_line_of_the_log_leaves_the_process_as_text() -> None:
    said: list[Logged] = []
    handler = _Handler(said.append)
    try:
        raise ValueError("of a library")
    except ValueError:
        record = logging.LogRecord(
            "sinks.x", logging.WARNING, __file__, 1, "job %s", (7,), sys.exc_info()
        )
    record.source = "kafka://a"
    handler.emit(record)
    (logged,) = pickle.loads(pickle.dumps(said))
    assert logged.record.getMessage() == "job 7"
    assert (logged.record.source, logged.record.levelname) == ("kafka://a", "WARNING")
    assert "ValueError: of a library" in logged.record.exc_text
    assert record.args == (7,), "the handlers of others see it as it was"
