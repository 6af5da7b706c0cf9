from __future__ import annotations

from collections.abc import Iterator

import pytest

from transforms.read import standing
from transforms.read.standing import Standing


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    standing.reset()
    yield
    standing.reset()


def test_a_partition_stands_as_it_was_noted_last() -> None:
    standing.note(Standing("kafka://t", "0", held=5, held_from=2))
    standing.note(Standing("kafka://t", "1", empty=True))
    standing.note(Standing("kafka://t", "0", held=3, held_from=4))
    assert list(standing.noted()) == [
        Standing("kafka://t", "0", held=3, held_from=4),
        Standing("kafka://t", "1", empty=True),
    ]


def test_what_is_held_back_is_added_up_over_all_partitions() -> None:
    assert standing.held_back() == 0
    for number in range(3):
        standing.note(Standing("kafka://t", f"{number}", held=number))
    assert standing.held_back() == 3


def test_a_partition_that_is_gone_stands_no_more() -> None:
    standing.note(Standing("kafka://t", "0", held=5))
    standing.forget("kafka://t", "0")
    standing.forget("kafka://t", "7")
    assert not standing.noted()
