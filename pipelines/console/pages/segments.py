"""The ranges of a partition as a drawing: where each begins and how long it is, in thousandths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sinks.console.coverage import PartitionRow

WIDTH = 1_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the drawing.

    Attributes:
        kind: Whether its offsets are settled.
        x: Where it begins.
        width: How long it is; at least 1, so that the smallest gap is seen.
        start: The first offset.
        end: The offset behind the last one.
    """

    kind: Literal["settled", "gap"]
    x: int
    width: int
    start: int
    end: int


def segments(row: PartitionRow) -> Sequence[Segment]:
    """What is drawn of a partition: its settled ranges, then its gaps above them."""
    last = max([row.end or 0, *(end for _, end in row.ranges)], default=0)
    first = min([*(start for start, _ in row.ranges)], default=0)
    length = max(1, last - first)
    kinds: tuple[tuple[Literal["settled", "gap"], Sequence[tuple[int, int]]], ...] = (
        ("settled", row.ranges),
        ("gap", row.gaps),
    )
    drawn = []
    for kind, ranges in kinds:
        for start, end in ranges:
            x = min(WIDTH - 1, (start - first) * WIDTH // length)
            width = max(1, min(WIDTH - x, (end - start) * WIDTH // length))
            drawn.append(Segment(kind, x, width, start, end))
    return drawn
