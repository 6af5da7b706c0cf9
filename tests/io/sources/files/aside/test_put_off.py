from __future__ import annotations

from sources.files.aside.put_off import PutOff
from transforms.batch.backoff import Backoff


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_object_is_tried_again_after_longer_and_longer_waits() -> None:
    clock = Clock()
    put_off = PutOff(Backoff(base=5.0, cap=300.0), clock)
    assert 1 not in put_off
    assert put_off.add(1)
    clock.now = 300.0
    assert 1 not in put_off
    assert not put_off.add(1), "only the first time is news"


def test_the_wait_is_at_most_the_cap() -> None:
    clock = Clock()
    put_off = PutOff(Backoff(base=5.0, cap=300.0), clock)
    for _ in range(50):
        put_off.add(1)
    clock.now = 301.0
    assert 1 not in put_off


def test_objects_that_are_gone_are_forgotten() -> None:
    put_off = PutOff(Backoff(base=5.0, cap=300.0), Clock())
    put_off.add(1)
    put_off.keep({2})
    assert put_off.add(1), "it is new again"
