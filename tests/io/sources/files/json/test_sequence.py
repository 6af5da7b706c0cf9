from __future__ import annotations

import pytest

from sources.files.failures import EndsEarly
from sources.files.json.sequence import SequenceFramer
from transforms.errors import ObjectFailed

LIMIT = 1 << 20


def fed(text: bytes, *, start: int = 0, limit: int = LIMIT, size: int = 7) -> SequenceFramer:
    """A framer that has been fed ``text`` from ``start`` on, in blocks of a size."""
    framer = SequenceFramer(start, limit, "file:///a.json")
    for at in range(start, len(text), size):
        framer.feed(text[at : min(at + size, len(text))])
    return framer


@pytest.mark.parametrize("size", [1, 5, 1_000])
@pytest.mark.parametrize(
    ("text", "values"),
    [
        (b'{"a":1}{"b":2}[3]"x"4', [b'{"a":1}', b'{"b":2}', b"[3]", b'"x"', b"4"]),
        (b'{\n "a": 1\n}\n{\n "b": 2\n}\n', [b'{\n "a": 1\n}', b'{\n "b": 2\n}']),
        (b'{"a":1},\r\n{"b":2},\r\n', [b'{"a":1}', b'{"b":2}']),
        (b'{"a":1} oops {"b":}', [b'{"a":1}', b"oops", b'{"b":}']),
        (
            b'\x1e{"a":1}\n\x1e{"a":"cut\x1e{"b":[\x1e2\n',
            [b'{"a":1}', b'{"a":"cut', b'{"b":[', b"2"],
        ),
        (b" \n", []),
    ],
)
def test_values_stand_one_after_another(text: bytes, values: list[bytes], size: int) -> None:
    framer = fed(text, size=size)
    framer.finish()
    assert framer.framed.raws == values
    for offset, raw in zip(framer.framed.offsets, values, strict=True):
        assert text[offset:].startswith(raw)
    assert (framer.next, framer.framed.refused) == (len(text), [])


def test_reading_begins_at_the_end_of_any_value() -> None:
    text = b'{"a":1}{"b":2}\n[3] 4 "x"'
    for start, values in ((7, 4), (14, 3), (15, 3), (18, 2), (20, 1), (24, 0)):
        framer = fed(text, start=start)
        framer.finish()
        assert len(framer.framed.raws) == values


@pytest.mark.parametrize("size", [1, 1_000])
def test_a_value_over_the_limit_keeps_its_head_and_the_next_ones_are_read(size: int) -> None:
    framer = fed(b'{"a":1}{"b":"xxxxxxxxxxxxxx"}{"c":3}', limit=10, size=size)
    framer.finish()
    assert framer.framed.raws == [b'{"a":1}', b'{"c":3}']
    (refused,) = framer.framed.refused
    assert (refused.offset, refused.raw, refused.category) == (7, b'{"b":"xxxx', "too_large")


@pytest.mark.parametrize(
    ("text", "whole", "broken", "message"),
    [
        (b'{"a":1}}{"b":2}', 1, 7, "at line 1, byte 7, '}' stands outside of a value"),
        (b'{"a":1}\n"b": 2', 2, 11, "at line 2, byte 11, ':' stands outside of a value"),
        (b'{"a":1}{"b":[2}', 1, 7, "at line 1, byte 14, '}' closes what it did not open"),
    ],
)
def test_where_brackets_do_not_match_reading_ends(
    text: bytes, whole: int, broken: int, message: str
) -> None:
    framer = SequenceFramer(0, LIMIT, "file:///a.json")
    with pytest.raises(ObjectFailed) as failed:
        framer.feed(text)
    assert str(failed.value) == f"file:///a.json cannot be read on: {message}"
    assert (len(framer.framed.raws), framer.next) == (whole, broken)


def test_a_value_that_is_cut_off_is_a_failure_of_the_end() -> None:
    framer = fed(b'{"a":1}\n{"b":')
    assert framer.unfinished
    with pytest.raises(EndsEarly, match=r"line 2, byte 13, in the middle of .* at byte 8"):
        framer.finish()
    assert (framer.framed.raws, framer.next) == ([b'{"a":1}'], 8)
