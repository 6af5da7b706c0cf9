"""The request to stop reading, and waits that it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from transforms.read import drain


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    drain.reset()
    yield
    drain.reset()


def test_a_request_stands_until_the_next_pipeline() -> None:
    assert not drain.requested()
    drain.request()
    drain.request()
    assert drain.requested()
    drain.reset()
    assert not drain.requested()


def test_a_wait_ends_at_once_when_a_drain_is_requested() -> None:
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(drain.wait(600)))
    waiter.start()
    drain.request()
    waiter.join(30)
    assert results == [True]


def test_a_wait_without_a_request_says_so() -> None:
    assert not drain.wait(0)
