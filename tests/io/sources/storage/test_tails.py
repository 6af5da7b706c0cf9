from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sources.storage.tails import FILES, TAIL_BYTES, Tail, Tails


@given(st.binary(max_size=5_000), st.lists(st.integers(1, 3_000), max_size=8), st.integers(0, 50))
def test_the_tail_is_what_lies_before_the_end_of_what_was_read(
    data: bytes, lengths: list[int], back: int
) -> None:
    tails = Tails()
    at = 0
    for length in lengths:
        start = max(0, at - back)
        block = data[start : at + length]
        tails.note("a", start, block)
        at = max(at, start + len(block))
        tails.note("a", 0, data[: min(10, at)])  # the header, once more
        tail = tails.of("a")
        assert tail is not None
        assert tail.end == at
        assert data[tail.end - len(tail.data) : tail.end] == tail.data
        assert len(tail.data) <= TAIL_BYTES


def test_only_the_last_files_are_known() -> None:
    tails = Tails()
    for number in range(FILES + 1):
        tails.note(str(number), 0, b"x")
    assert tails.of("0") is None
    assert tails.of("1") == Tail(1, b"x")
    tails.forget("1")
    assert tails.of("1") is None
