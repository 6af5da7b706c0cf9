from __future__ import annotations

import io

import pytest

from sources.storage.ranged_file import RangedFile
from tests.io.sources.storage.test_stream import DATA, Pinned


def ranged(block_bytes: int = 8) -> io.BufferedReader:
    return io.BufferedReader(RangedFile(Pinned(DATA, block_bytes=block_bytes), len(DATA)), 16)


@pytest.mark.parametrize(
    ("offset", "whence", "at"),
    [(5, io.SEEK_SET, 5), (-3, io.SEEK_END, 47), (2, io.SEEK_CUR, 12), (99, io.SEEK_SET, 99)],
)
def test_it_reads_where_it_is_moved_to(offset: int, whence: int, at: int) -> None:
    file = ranged()
    file.seek(10)
    assert file.seek(offset, whence) == at
    assert file.tell() == at
    assert file.read(7) == DATA[at : at + 7]


def test_all_of_it_can_be_read_in_blocks() -> None:
    assert ranged(block_bytes=3).read() == DATA


def test_it_never_moves_before_its_start() -> None:
    file = RangedFile(Pinned(DATA), len(DATA))
    assert file.seek(-9, io.SEEK_CUR) == 0
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)


def test_a_read_asks_the_storage_for_no_more_than_its_block() -> None:
    pinned = Pinned(DATA, block_bytes=8)
    RangedFile(pinned, len(DATA)).readinto(memoryview(bytearray(20)))
    assert pinned.reads == [(0, 8)]
