"""The law of counts: what is read equals what it became."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.counts import COUNTS, OUTCOMES, Counts, by_table

numbers = st.integers(min_value=-1_000, max_value=1_000)
counts = st.builds(Counts, **dict.fromkeys(COUNTS, numbers))


def test_counts_are_conserved_or_not() -> None:
    assert Counts(6, 0, 1, 1, 1, 1, 1, 1).conserved
    assert not Counts(7, 0, 1, 1, 1, 1, 1, 1).conserved


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_part_of_the_law(outcome: str) -> None:
    assert Counts(read=1, **{outcome: 1}).conserved
    assert not Counts(**{outcome: 1}).conserved


def test_records_within_messages_have_outcomes_of_their_own() -> None:
    whole = Counts(read=2, expanded=3, inserted=4, dead=1)
    assert whole.records == 5
    assert whole.conserved
    assert not Counts(read=2, expanded=3, inserted=2).conserved


@given(st.dictionaries(st.sampled_from("abc"), counts), counts)
def test_the_tables_add_up_to_the_whole_and_the_own_one_has_the_rest(
    tables: dict[str, Counts], whole: Counts
) -> None:
    every = by_table(whole, tables, "a")
    assert sum(every.values(), Counts()) == whole
    assert Counts() not in every.values()
    assert all(every.get(name, Counts()) == tables[name] for name in tables if name != "a")
    assert {"x", "a"} <= by_table(whole, tables, "a", ["x", "a"]).keys(), "though nothing came"


def test_the_names_are_those_of_the_ledgers_columns() -> None:
    """A name that changes here changes the tables, the summary and the counters of users."""
    assert COUNTS == (
        "read",
        "expanded",
        "inserted",
        "updated",
        "deleted",
        "duplicates",
        "filtered",
        "dead",
        "retrying",
        "rewound",
    )


@given(counts, counts)
def test_a_sum_adds_each_count_to_its_own(one: Counts, other: Counts) -> None:
    total = dict(one + other)
    assert total == {name: dict(one)[name] + dict(other)[name] for name in COUNTS}


@given(counts)
def test_counts_are_their_names_and_numbers_in_order(one: Counts) -> None:
    assert [name for name, _ in one] == list(COUNTS)
    assert Counts(**dict(one)) == one
    assert sum([one], Counts()) == one
