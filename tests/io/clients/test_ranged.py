from __future__ import annotations

import io

from clients.ranged import RangedObject

DATA = bytes(range(10))


def test_only_what_is_read_is_fetched() -> None:
    ranges = []

    def fetch(low: int, high: int) -> bytes:
        ranges.append((low, high))
        return DATA[low:high]

    stream = RangedObject(len(DATA), fetch)
    stream.seek(4)
    assert stream.read(2) == DATA[4:6]
    stream.seek(-1, io.SEEK_END)
    assert stream.read(5) == DATA[9:]
    assert stream.read(5) == b""
    assert ranges == [(4, 6), (9, 10)]


def test_the_position_follows_what_was_read() -> None:
    stream = RangedObject(len(DATA), lambda low, high: DATA[low:high])
    stream.seek(2)
    stream.read(3)
    assert stream.tell() == 5
    assert stream.seek(1, io.SEEK_CUR) == 6
