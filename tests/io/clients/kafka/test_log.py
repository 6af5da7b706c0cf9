from __future__ import annotations

import logging
import threading

import pytest

from clients.kafka.log import EVERY_SECONDS, RateLimit
from tests.transforms.forks import in_child
from transforms.secrets import conceal


def line(text: str, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord("x", level, __file__, 1, "%s", (text,), None)


class TestRateLimit:
    def test_one_line_of_a_kind_passes_and_the_next_says_how_many_did_not(self) -> None:
        now = [0.0]
        limit = RateLimit(clock=lambda: now[0])
        first = line("FAIL refused")
        assert limit.filter(first)
        assert first.getMessage() == "FAIL refused"
        assert vars(first)["service"] == "kafka"
        assert not limit.filter(line("FAIL refused"))
        assert not limit.filter(line("FAIL refused again"))
        assert limit.filter(line("MAXPOLL other"))
        now[0] = EVERY_SECONDS
        later = line("FAIL still")
        assert limit.filter(later)
        assert later.getMessage() == "FAIL still (and 2 more like it)"

    def test_no_line_is_more_than_a_warning(self) -> None:
        record = line("FAIL x", logging.CRITICAL)
        assert RateLimit().filter(record)
        assert (record.levelno, record.levelname) == (logging.WARNING, "WARNING")

    def test_secrets_are_hidden(self) -> None:
        conceal("sesame-open-77")
        record = line("SASL password sesame-open-77 is wrong")
        assert RateLimit().filter(record)
        assert "sesame-open-77" not in record.getMessage()

    def test_a_percent_sign_in_a_line_is_text(self) -> None:
        record = line("50% lost %s")
        assert RateLimit().filter(record)
        assert record.getMessage() == "50% lost %s"

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_process_does_not_wait_for_a_thread_of_its_parent(self) -> None:
        begun, go_on = threading.Event(), threading.Event()

        class SlowLevel(int):
            """A level that takes long to look up, which is done under the lock."""

            def __hash__(self) -> int:
                begun.set()
                go_on.wait()
                return super().__hash__()

        limit = RateLimit()
        record = line("x")
        record.levelno = SlowLevel(logging.ERROR)
        thread = threading.Thread(target=limit.filter, args=(record,))
        thread.start()
        try:
            assert begun.wait(10)
            assert in_child(lambda: limit.filter(line("FAIL x")))
        finally:
            go_on.set()
            thread.join()


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_lower_levels_stay_as_they_are(level: int) -> None:
    record = line("x", level)
    assert RateLimit().filter(record)
    assert record.levelno == level
