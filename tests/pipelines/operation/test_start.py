"""What is away at the start is waited for; what refuses is a mistake, and said at once."""

from __future__ import annotations

import itertools
import logging
import threading

import pytest

from pipelines.operation.start import once_reachable
from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError, SinkUnavailable, SourceRefused, SourceUnavailable

FAST = Backoff(base=0.01, cap=0.02)


class Service:
    """Fails with ``error`` a number of times, and then answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self._error = error
        self._left = times
        self.tries = 0

    def ask(self) -> str:
        self.tries += 1
        if self.tries <= self._left:
            raise self._error
        return "answer"


@pytest.mark.parametrize("kind", [SourceUnavailable, SinkUnavailable])
def test_it_is_asked_again_until_it_answers(
    kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(kind("it is away"), 4)
    assert once_reachable(service.ask, 60, FAST) == "answer"
    assert service.tries == 5
    begin, end = caplog.messages
    assert begin.startswith("it is away; waiting for it, for another ")
    assert " answers again after " in end


@pytest.mark.parametrize("kind", [SourceUnavailable, SinkUnavailable])
def test_after_the_budget_the_last_error_is_raised_with_how_long_was_waited(
    kind: type[Exception],
) -> None:
    service = Service(kind("it is away"), 10_000)
    with pytest.raises(kind, match=r"^it is away \(waited 0 s\)$"):
        once_reachable(service.ask, 0.1, FAST)
    assert service.tries > 1


def test_without_a_budget_it_is_asked_once() -> None:
    service = Service(SourceUnavailable("it is away"), 10)
    with pytest.raises(SourceUnavailable):
        once_reachable(service.ask, 0, FAST)
    assert service.tries == 1


def test_a_try_that_hangs_is_not_waited_for_beyond_the_budget() -> None:
    numbers, hung = itertools.count(), threading.Event()

    def ask() -> None:
        if next(numbers):
            hung.wait(60)
        raise SinkUnavailable("it is away")

    try:
        with pytest.raises(SinkUnavailable, match="waited"):
            once_reachable(ask, 0.2, FAST)
        assert not hung.is_set()
    finally:
        hung.set()


def test_a_refusal_is_a_mistake_and_is_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for error in (SourceRefused("no credentials"), ConfigError("no credentials")):
        service = Service(error, 1)
        with pytest.raises(ConfigError, match=r"^no credentials$"):
            once_reachable(service.ask, 60, FAST)
        assert service.tries == 1
    assert not caplog.messages


def test_a_defect_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        once_reachable(lambda: 1 // 0, 60, FAST)
