from __future__ import annotations

from benchmarks.profiling.rounds import Cost, summary


def test_a_format_is_compared_with_the_same_rounds_of_the_first_one() -> None:
    own = [Cost(4.0, 2.0), Cost(5.0, 4.0), Cost(8.0, 9.0)]
    first = [Cost(6.0, 1.0), Cost(5.0, 1.0), Cost(10.0, 1.0)]
    line = summary(own, first, 1_000)
    shown = " ".join(line.split())
    assert shown == "200 records/s, 1.25 (1.00-1.50) of the first format, 4.00 CPU s (least 2.00)"
