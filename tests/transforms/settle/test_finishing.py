from __future__ import annotations

import pytest

from transforms.batch.backoff import Backoff
from transforms.errors import Contention, SinkFailed, SinkUnavailable
from transforms.settle.finishing import finish

FAST = Backoff(base=0.001, cap=0.001)


class Answers:
    """Raises its errors one after the other, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def test_what_may_pass_is_waited_for() -> None:
    call = Answers(SinkUnavailable("away"), Contention("busy"))
    finish(call, FAST, budget=60)
    assert call.calls == 3


def test_waiting_ends_with_the_budget() -> None:
    with pytest.raises(SinkUnavailable, match=r"^away \(waited 0 s\)$"):
        finish(Answers(*[SinkUnavailable("away")] * 1_000), FAST, budget=0.01)


def test_what_does_not_pass_is_raised_at_once() -> None:
    call = Answers(SinkFailed("denied"))
    with pytest.raises(SinkFailed, match="denied"):
        finish(call, FAST, budget=60)
    assert call.calls == 1
