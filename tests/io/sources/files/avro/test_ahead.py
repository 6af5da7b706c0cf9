"""Blocks that are read before their turn come in their order, and so does what went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from sources.files.avro.ahead import Ahead
from sources.files.avro.blocks import Block
from transforms.errors import SourceUnavailable


class Listed:
    """Blocks of a list, in which an error is raised once."""

    def __init__(self, *blocks: Block | Exception) -> None:
        self._blocks = list(blocks)

    @property
    def ended(self) -> bool:
        return not self._blocks

    def next(self, *, skip_to: int = 0) -> Block | None:
        block = self._blocks.pop(0) if self._blocks else None
        if isinstance(block, Exception):
            raise block
        return block


def ahead(*blocks: Block | Exception) -> Ahead:
    listed: Any = Listed(*blocks)
    return Ahead(listed)


A, B, C = Block(2, b"aa"), Block(3, b"bbb"), Block(1, b"c")


def test_blocks_that_are_seen_are_still_the_next_ones() -> None:
    blocks = ahead(A, B, C)
    assert blocks.several(10, 10) == [A, B, C]
    assert not blocks.ended
    assert [blocks.next() for _ in range(4)] == [A, B, C, None]
    assert blocks.ended


def test_blocks_that_are_taken_together_are_passed() -> None:
    blocks = ahead(A, B, C)
    blocks.taken(len(blocks.several(5, 10)))
    assert blocks.several(5, 10) == [C]
    blocks.taken(1)
    assert blocks.ended
    assert blocks.several(5, 10) == []


@pytest.mark.parametrize(("records", "size"), [(4, 10), (10, 4)])
def test_neither_records_nor_bytes_are_more_than_a_batch_has(records: int, size: int) -> None:
    assert ahead(A, B, C).several(records, size) == [A]


@pytest.mark.parametrize(
    "odd", [Block(1, b"", problem="damaged"), Block(1, pieces=iter(())), Block(0, b"")]
)
def test_nothing_is_read_behind_a_block_that_stands_alone(odd: Block) -> None:
    blocks = ahead(A, odd, RuntimeError("it has been read"))
    blocks.taken(len(blocks.several(10, 10)))
    assert blocks.several(10, 10) == []
    assert blocks.next() is odd


def test_an_error_comes_behind_the_blocks_before_it_and_once() -> None:
    blocks = ahead(A, SourceUnavailable("away"), B)
    blocks.taken(len(blocks.several(10, 10)))
    assert not blocks.ended
    with pytest.raises(SourceUnavailable):
        blocks.next()
    assert blocks.several(10, 10) == [B]


def test_blocks_are_left_alone_until_they_have_been_taken() -> None:
    blocks = ahead(A, B, C)
    blocks.leave_alone(len(blocks.several(5, 10)))
    assert blocks.several(10, 10) == []
    assert blocks.next() is A
    assert blocks.several(10, 10) == []
    assert blocks.next() is B
    assert blocks.several(10, 10) == [C]
