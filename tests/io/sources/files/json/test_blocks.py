from __future__ import annotations

import pytest

from sources.files.framing import BOM
from sources.files.json.blocks import BlockPosition


@pytest.mark.parametrize("blocks", [(BOM + b"[1]",), (BOM[:1], BOM[1:2], BOM[2:], b"[1]")])
def test_a_byte_order_mark_is_left_out_however_it_is_cut(blocks: tuple[bytes, ...]) -> None:
    position = BlockPosition(0)
    entered = b""
    for block in blocks:
        scanned = position.enter(block)
        entered += scanned
        position.leave(scanned)
    assert (entered, position.finish(), position.offset) == (b"[1]", b"", 6)


def test_the_start_of_a_mark_that_is_none_is_text() -> None:
    position = BlockPosition(0)
    assert position.enter(BOM[:2]) == b""
    assert position.finish() == BOM[:2]
    position = BlockPosition(0)
    position.enter(BOM[:2])
    assert position.enter(b"x") == BOM[:2] + b"x"


def test_a_place_has_its_line_if_reading_began_at_the_first_one() -> None:
    position = BlockPosition(0)
    position.leave(position.enter(b"[\n1,\n"))
    assert position.place(b" \n 2", 3) == "line 4, byte 8"
    assert BlockPosition(1_000).place(b" \n 2", 3) == "byte 1,003"
