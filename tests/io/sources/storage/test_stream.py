from __future__ import annotations

import threading

import pytest

from sources.storage.stream import BLOCK_BYTES, PlainStream
from transforms.errors import SourceUnavailable


class Pinned:
    """An object in memory that remembers what was read of it, and by which thread."""

    def __init__(self, data: bytes, *, distant: bool = False, block_bytes: int = 4) -> None:
        self._data = data
        self.distant = distant
        self.block_bytes = block_bytes
        self.content_encoding = ""
        self.reads: list[tuple[int, int]] = []
        self.threads: set[str] = set()
        self.faults: list[Exception] = []

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads.append((offset, length))
        self.threads.add(threading.current_thread().name)
        if self.faults:
            raise self.faults.pop(0)
        return self._data[offset : offset + length]

    def close(self) -> None:
        pass


DATA = bytes(range(50))


@pytest.mark.parametrize("distant", [False, True])
@pytest.mark.parametrize(("start", "end"), [(0, 50), (3, 50), (3, 17), (50, 50)])
def test_a_stream_has_the_bytes_of_its_part(distant: bool, start: int, end: int) -> None:
    stream = PlainStream(Pinned(DATA, distant=distant), start, end)
    assert b"".join(iter(stream.read, b"")) == DATA[start:end]
    assert stream.stored == end


def test_blocks_are_as_long_as_suits_the_storage_and_at_most_a_mebibyte_for_the_reader() -> None:
    data = bytes(3 * BLOCK_BYTES)
    pinned = Pinned(data, block_bytes=2 * BLOCK_BYTES)
    stream = PlainStream(pinned, 0, len(data))
    assert [len(block) for block in iter(stream.read, b"")] == [BLOCK_BYTES] * 3
    assert pinned.reads == [(0, 2 * BLOCK_BYTES), (2 * BLOCK_BYTES, BLOCK_BYTES)]


def test_beyond_its_end_it_reads_on_as_long_as_it_is_asked() -> None:
    stream = PlainStream(Pinned(DATA), 0, 10, beyond=True)
    assert b"".join(iter(stream.read, b"")) == DATA


def test_only_a_distant_object_is_fetched_ahead() -> None:
    near, far = Pinned(DATA), Pinned(DATA, distant=True)
    for pinned in (near, far):
        stream = PlainStream(pinned, 0, len(DATA))
        assert b"".join(iter(stream.read, b"")) == DATA
    assert near.threads == {threading.current_thread().name}
    assert near.threads < far.threads
    assert sorted(far.reads) == near.reads


@pytest.mark.parametrize("distant", [False, True])
def test_a_read_that_failed_can_be_tried_again(distant: bool) -> None:
    pinned = Pinned(DATA, distant=distant)
    stream = PlainStream(pinned, 0, len(DATA))
    blocks = [stream.read()]
    blocks.append(stream.read())
    pinned.faults = [SourceUnavailable("away")] * 2
    faults = 0
    while True:
        try:
            block = stream.read()
        except SourceUnavailable:
            faults += 1
            continue
        if not block:
            break
        blocks.append(block)
    assert b"".join(blocks) == DATA
    assert 1 <= faults <= 2


def test_where_the_start_may_be_all_that_is_wanted_it_alone_is_read() -> None:
    pinned = Pinned(DATA, distant=True, block_bytes=20)
    stream = PlainStream(pinned, 0, 50, first=7)
    start = stream.read()
    assert (start, pinned.reads) == (DATA[:7], [(0, 7)])
    assert start + b"".join(iter(stream.read, b"")) == DATA
    assert pinned.reads[:2] == [(0, 7), (7, 20)]
