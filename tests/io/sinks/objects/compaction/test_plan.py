from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from hypothesis import given as whatever
from hypothesis import strategies as st

from sinks.objects.compaction import plan
from sinks.objects.compaction.plan import Origin, Part, groups

TARGET = 1_000


def parts(*sizes: int, source: str = "a", first: int = 0) -> list[Part]:
    """Objects of ten records each, one behind the other."""
    return [
        Part(
            *(first + number, "t", "p", f"t/dt=1/{source}-{number}.parquet", source, "0"),
            *(number * 10, number * 10 + 10, 10, size, f'"{number}"'),
        )
        for number, size in enumerate(sizes)
    ]


def ids(cut: Sequence[Sequence[Part]]) -> list[list[int]]:
    return [[part.id for part in group] for group in cut]


def test_small_objects_are_cut_into_groups_of_about_the_target() -> None:
    assert ids(groups(parts(400, 400, 400, 400, 400), TARGET)) == [[0, 1], [2, 3]]


def test_an_object_of_half_the_target_or_more_is_left_alone() -> None:
    assert ids(groups(parts(100, 500, 100), TARGET)) == [[0, 2]]


def test_one_small_object_is_left_alone() -> None:
    assert groups(parts(100, 900), TARGET) == []


def test_records_stay_in_the_order_of_their_source() -> None:
    listed = [*parts(10, 10, source="b"), *parts(10, 10, source="a", first=5)]
    assert ids(groups(reversed(listed), TARGET)) == [[5, 6, 0, 1]]


def test_a_group_has_a_bounded_number_of_objects() -> None:
    cut = groups(parts(*[0] * (plan.MOST_PARTS + 2)), TARGET)
    assert [len(group) for group in cut] == [plan.MOST_PARTS, 2]


def test_an_empty_object_is_merged_as_well() -> None:
    assert ids(groups(parts(0, 0), TARGET)) == [[0, 1]]


@whatever(st.lists(st.integers(0, TARGET), max_size=40))
def test_what_has_been_merged_is_not_merged_again(sizes: list[int]) -> None:
    listed = parts(*sizes)
    numbers = count(len(sizes))
    cut = groups(listed, TARGET)
    merged = [
        Part(
            *(next(numbers), "t", "p", "t/dt=1/m.parquet", group[0].source, "0", group[0].start),
            *(group[-1].end, 0, sum(part.bytes for part in group), '"m"'),
        )
        for group in cut
    ]
    gone = {part.id for group in cut for part in group}
    after = [*(part for part in listed if part.id not in gone), *merged]
    again = groups(after, TARGET)
    # Only the last group of a look may be small, and it may meet one object that was left.
    assert len(again) <= 1
    assert all(part.bytes <= TARGET for part in merged)
    assert sum(len(group) for group in again) <= 2


def test_the_folder_of_an_object_is_that_of_its_partition() -> None:
    assert parts(1)[0].folder == "t/dt=1"


def test_the_origin_of_one_partition_is_the_range_around_all() -> None:
    assert Origin.of(parts(1, 1, 1)[1:]) == Origin("a", "0", 10, 30)


def test_of_several_sources_nothing_is_said() -> None:
    assert Origin.of([*parts(1), *parts(1, source="b")]) == Origin()
