"""How a number of records is shared among tenants."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sources.kafka.fair.round_robin import RoundRobin


def turns_of(*tenants: str) -> RoundRobin[str]:
    turns: RoundRobin[str] = RoundRobin()
    for tenant in tenants:
        turns.join(tenant)
    return turns


def test_each_has_an_equal_part() -> None:
    turns = turns_of("a", "b", "c")
    assert turns.shares({"a": 100, "b": 100, "c": 100}, 30) == {"a": 10, "b": 10, "c": 10}


def test_what_a_tenant_does_not_need_goes_to_the_others() -> None:
    turns = turns_of("flood", "b", "c")
    assert turns.shares({"flood": 1_000, "b": 1, "c": 2}, 90) == {"flood": 87, "b": 1, "c": 2}


def test_with_more_tenants_than_records_all_have_their_turns_in_rounds() -> None:
    waiting = {f"t{n}": 5 for n in range(10)}
    turns = turns_of(*waiting)
    rounds = [turns.shares(waiting, 4) for _ in range(5)]
    assert [sorted(shares.values()) for shares in rounds] == [[1] * 4] * 5
    assert Counter(tenant for shares in rounds for tenant in shares) == dict.fromkeys(waiting, 2)


def test_what_is_left_over_goes_to_the_first_who_are_then_the_last() -> None:
    turns = turns_of("a", "b", "c")
    waiting = {"a": 100, "b": 100, "c": 100}
    assert turns.shares(waiting, 4) == {"a": 2, "b": 1, "c": 1}
    assert turns.shares(waiting, 4) == {"a": 1, "b": 2, "c": 1}


def test_one_that_comes_back_queues_behind_the_others() -> None:
    turns = turns_of("a", "b")
    assert turns.shares({"a": 2, "b": 9}, 4) == {"a": 2, "b": 2}
    turns.join("a")
    turns.join("a")
    assert turns.shares({"a": 9, "b": 7}, 1) == {"b": 1}


@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50), min_size=1),
    st.integers(1, 500),
)
def test_a_number_is_shared_as_evenly_as_the_needs_allow(
    waiting: dict[str, int], number: int
) -> None:
    turns = turns_of(*waiting)
    shares = turns.shares(waiting, number)
    assert sum(shares.values()) == min(number, sum(waiting.values()))
    assert all(share <= waiting[tenant] for tenant, share in shares.items())
    wanting = [
        shares.get(tenant, 0) for tenant in waiting if shares.get(tenant, 0) < waiting[tenant]
    ]
    if wanting:
        # Whoever still wants some has about as much as anybody has.
        assert max(shares.values()) - min(wanting) <= max(1, number // len(waiting))


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 60), min_size=2),
    st.integers(6, 20),
)
def test_every_tenant_has_something_of_every_round_that_is_large_enough(
    waiting: dict[str, int], number: int
) -> None:
    turns = turns_of(*waiting)
    while waiting:
        shares = turns.shares(waiting, number)
        assert shares.keys() == waiting.keys()
        waiting = {tenant: left for tenant in waiting if (left := waiting[tenant] - shares[tenant])}
