"""What is drawn of a partition stays within the drawing, and no gap is too small to be seen."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.console.pages.segments import WIDTH, segments
from sinks.console.coverage import PartitionRow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def row(bounds: list[int], end: int | None = None) -> PartitionRow:
    """Settled ranges from each even bound to the next odd one."""
    ranges = list(zip(bounds[::2], bounds[1::2], strict=False))
    gaps = [(one[1], other[0]) for one, other in pairwise(ranges)]
    return PartitionRow("p", "s", "0", ranges, gaps, end, False, False, 0, 0, 0, True, AT)


def test_half_of_a_partition_is_half_of_the_drawing() -> None:
    drawn = segments(row([0, 500, 750, 1_000]))
    assert [(one.kind, one.x, one.width) for one in drawn] == [
        ("settled", 0, 500),
        ("settled", 750, 250),
        ("gap", 500, 250),
    ]


def test_the_end_of_a_partition_leaves_room() -> None:
    (only,) = segments(row([0, 500], end=1_000))
    assert (only.x, only.width) == (0, 500)


@given(st.lists(st.integers(0, 2**63), unique=True, max_size=20))
def test_everything_is_seen_within_the_drawing(bounds: list[int]) -> None:
    partition = row(sorted(bounds))
    drawn = segments(partition)
    assert len(drawn) == len(partition.ranges) + len(partition.gaps)
    for one in drawn:
        assert one.width >= 1
        assert one.x >= 0
        assert one.x + one.width <= WIDTH
