from __future__ import annotations

import time

from transforms.steps import inline_calls


def test_a_step_is_there_while_it_calls_and_not_longer() -> None:
    with inline_calls.calling("Slow"):
        assert inline_calls.oldest(time.monotonic() + 1) == "Slow"
        assert inline_calls.oldest(time.monotonic() - 1) is None, "it has just begun"
    assert inline_calls.oldest(time.monotonic() + 1) is None
