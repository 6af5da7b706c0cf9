"""Rounds give the result of one record at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.order.rounds import Rounds
from sinks.order.state import Claim, Place, State, after, compare, passed

positions = st.one_of(st.none(), st.integers(0, 6))


def claim(position: int | None, partition: str, offset: int, delete: bool, bare: bool) -> Claim:
    bare = bare and delete and position is None
    return Claim(position, Place("t", partition, offset), delete, bare)


claims = st.builds(
    claim, positions, st.sampled_from("01"), st.integers(0, 9), st.booleans(), st.booleans()
)
commits = st.lists(st.tuples(st.sampled_from("abc"), claims, st.booleans()), max_size=14)


def one_by_one(
    commit: list[tuple[str, Claim, bool]], states: dict[str, State]
) -> tuple[dict[str, State], list[int], list[int]]:
    """The reference: each record after the other, where one that is refused has no effect."""
    states, accepted, unknown = dict(states), [], []
    for index, (key, said, refused) in enumerate(commit):
        verdict = compare(said, states.get(key))
        if verdict == "unknown":
            unknown.append(index)
        elif verdict == "newer" and not refused:
            states[key] = after(said, states.get(key))
            accepted.append(index)
        elif verdict == "older":
            states[key] = passed(said, states[key])
    return states, accepted, unknown


@pytest.mark.parametrize("in_order", [True, False])
@given(
    commits,
    st.dictionaries(
        st.sampled_from("ab"),
        st.builds(
            lambda said, delete: State(said.position, said.place, delete), claims, st.booleans()
        ),
    ),
)
def test_as_one_by_one(
    in_order: bool, commit: list[tuple[str, Claim, bool]], before: dict[str, State]
) -> None:
    keys, said, refused = ([each[part] for each in commit] for part in range(3))
    rounds = Rounds(keys, said, before, in_order=in_order)  # type: ignore[arg-type]
    accepted: list[int] = []
    written: list[int] = []
    while (chosen := rounds.next()) is not None:
        indices = [*chosen.deletes, *chosen.rows]
        assert not (in_order and chosen.deletes and chosen.rows), "the order would be lost"
        of_deletes = [keys[index] for index in chosen.deletes]
        assert len(set(of_deletes)) == len(of_deletes), "one statement deletes each key once"
        assert not {*of_deletes} & {keys[index] for index in chosen.rows}
        taken = [index for index in indices if not refused[index]]
        rounds.accepted(taken)
        accepted += taken
        written += indices
    states, reference, unknown = one_by_one(commit, before)
    assert (rounds.states, sorted(accepted), sorted(rounds.unknown)) == (states, reference, unknown)
    if in_order:
        assert written == sorted(written)


def test_rows_of_one_key_are_written_together_as_far_as_nothing_depends_on_them() -> None:
    said = [
        Claim(position, Place("t", "0", offset)) for offset, position in enumerate((1, 3, 2, 4))
    ]
    rounds = Rounds(["a"] * 4, said, {}, in_order=False)
    first = rounds.next()
    assert first is not None
    assert first.rows == [0, 1], "whether 2 is newer depends on whether 1 is accepted"


def test_records_without_a_key_are_in_no_round() -> None:
    rounds = Rounds([None], [Claim(1, Place("t", "0", 0))], {}, in_order=True)
    assert rounds.next() is None
