from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.objects.cutting import Intent, cut
from transforms.batch.coverage import Coverage, Range, merge


def intent(start: int, end: int) -> Intent:
    return Intent("p", "s", "0", start, end, f"{start}-{end}")


def bounds(intents: list[Intent]) -> list[Range]:
    return [(each.start, each.end) for each in intents]


def test_an_open_intent_is_repeated_with_exactly_its_boundaries() -> None:
    cuts = cut([(0, 50), (50, 200)], [intent(40, 100)], Coverage())
    assert bounds(cuts.repeated) == [(40, 100)]
    assert cuts.new == [(0, 40), (100, 200)]
    assert cuts.retired == []


def test_an_intent_of_which_only_a_part_is_there_is_retired() -> None:
    cuts = cut([(0, 50)], [intent(40, 100)], Coverage())
    assert (cuts.repeated, cuts.new, bounds(cuts.retired)) == ([], [(0, 50)], [(40, 100)])


def test_an_intent_elsewhere_stays_open_unless_it_is_settled_in_part() -> None:
    intents = [intent(100, 200), intent(200, 300)]
    cuts = cut([(0, 50)], intents, Coverage(((250, 400),)))
    assert (cuts.repeated, bounds(cuts.retired)) == ([], [(200, 300)])


def test_of_two_that_overlap_one_is_repeated() -> None:
    cuts = cut([(0, 100)], [intent(0, 60), intent(50, 90)], Coverage())
    assert (bounds(cuts.repeated), bounds(cuts.retired)) == ([(0, 60)], [(50, 90)])
    assert cuts.new == [(60, 100)]


RANGES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda r: (r[0], r[0] + r[1])), max_size=4
)


@given(RANGES, RANGES)
@settings(max_examples=100)
def test_every_offset_is_written_exactly_once(ranges: list[Range], opened: list[Range]) -> None:
    cuts = cut(ranges, [intent(*each) for each in set(opened)], Coverage())
    pieces = sorted([*bounds(cuts.repeated), *cuts.new])
    assert all(one[1] <= other[0] for one, other in pairwise(pieces)), "none twice"
    assert merge(pieces) == merge(ranges), "all of them"
