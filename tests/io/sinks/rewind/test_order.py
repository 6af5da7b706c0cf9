"""What to forget, and what becomes of the counts of its jobs."""

from __future__ import annotations

import pytest

from sinks.rewind.order import Forgotten, Rewind
from transforms.batch.counts import Counts
from transforms.errors import ConfigError


@pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 5), (5, 4)])
def test_offsets_that_make_no_range_are_refused(start: int, end: int | None) -> None:
    with pytest.raises(ConfigError, match=r"offset"):
        Rewind("p", (("kafka://t", "0"),), start, end)


def test_jobs_are_rewound_in_their_table_and_completed_ones_are_only_removed() -> None:
    part = Forgotten(
        "kafka://t",
        "0",
        ((0, 10), (20, 25)),
        {
            ("a", "discarded"): 2,
            ("a", "cancelled"): 1,
            ("a", "retryable"): 4,
            ("b", "available"): 1,
            ("b", "suspended"): 1,
            ("c", "completed"): 7,
        },
    )
    assert part.offsets == 15
    assert part.removed == 16
    assert part.moves == {
        "a": Counts(dead=-3, retrying=-4, rewound=7),
        "b": Counts(retrying=-2, rewound=2),
        "c": Counts(),
    }
    assert part.states == {
        "available": 1,
        "cancelled": 1,
        "completed": 7,
        "discarded": 2,
        "retryable": 4,
        "suspended": 1,
    }
