"""Which record is newer."""

from __future__ import annotations

import pytest

from sinks.order.state import (
    OLDEST,
    Claim,
    Place,
    State,
    Verdict,
    after,
    compare,
    element_of,
    passed,
)


def at(offset: int, partition: str = "0", element: int = 0) -> Place:
    return Place("kafka://t", partition, offset, element)


@pytest.mark.parametrize(
    ("claim", "state", "verdict"),
    [
        (Claim(5, at(1)), None, "newer"),
        (Claim(None, at(1)), None, "newer"),
        (Claim(5, at(1)), State(4, at(9)), "newer"),
        (Claim(5, at(9)), State(6, at(1)), "older"),
        (Claim(5, at(9, "1")), State(4, at(1)), "newer"),
        (Claim(OLDEST, at(9)), State(4, at(1)), "older"),
        # equal positions: the later offset of one partition
        (Claim(5, at(2)), State(5, at(1)), "newer"),
        (Claim(5, at(1)), State(5, at(1)), "older"),
        (Claim(5, at(1)), State(5, at(2)), "older"),
        (Claim(5, at(1, element=2)), State(5, at(1, element=1)), "newer"),
        (Claim(5, at(9, "1")), State(5, at(1)), "older"),
        # offsets alone
        (Claim(None, at(2)), State(None, at(1)), "newer"),
        (Claim(None, at(1)), State(None, at(2)), "older"),
        (Claim(None, at(2, "1")), State(None, at(1)), "unknown"),
        (Claim(None, at(2)), State(7, at(1)), "newer"),
        (Claim(None, at(2, "1")), State(7, at(1)), "unknown"),
        (Claim(7, at(2, "1")), State(None, at(1)), "unknown"),
        # a tombstone that has lost its position
        (Claim(None, at(2), delete=True, bare=True), State(7, at(1)), "newer"),
        (Claim(None, at(1), delete=True, bare=True), State(7, at(2)), "older"),
        (Claim(None, at(2, "1"), delete=True, bare=True), State(7, at(1)), "older"),
        # a row of which only its field is known
        (Claim(5, at(1)), State(5, None), "older"),
        (Claim(5, at(1), delete=True), State(5, None), "newer"),
        (Claim(4, at(1), delete=True), State(5, None), "older"),
    ],
)
def test_compare(claim: Claim, state: State | None, verdict: Verdict) -> None:
    assert compare(claim, state) == verdict


def test_a_tombstone_keeps_the_position_of_what_it_ends() -> None:
    state = after(Claim(None, at(2), delete=True, bare=True), State(7, at(1)))
    assert state == State(7, at(2), deleted=True)
    assert compare(Claim(6, at(3)), state) == "older"
    assert compare(Claim(8, at(3)), state) == "newer"


def test_a_delete_behind_its_tombstone_tells_the_position() -> None:
    state = after(Claim(None, at(2), delete=True, bare=True), None)
    late = Claim(7, at(1), delete=True)
    assert compare(late, state) == "older"
    assert passed(Claim(6, at(1)), state) == state, "a row may be older than the delete"
    assert passed(late, state) == State(7, at(2), deleted=True)
    assert compare(Claim(8, at(1, "1")), passed(late, state)) == "newer"
    assert passed(Claim(5, at(1), delete=True), State(7, at(2), deleted=True)).position == 7


def test_elements_of_one_offset_are_in_order() -> None:
    numbers = [element_of(1, ()), element_of(2, ()), element_of(3, ())]
    assert numbers == sorted(numbers)
    nested = [element_of(1, (a, b)) for a in range(3) for b in range(3)] + [element_of(2, (0, 0))]
    assert nested == sorted(set(nested))
    assert element_of(10_000, (10_000,) * 9) < 1 << 63
