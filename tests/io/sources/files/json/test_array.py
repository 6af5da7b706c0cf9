from __future__ import annotations

import tracemalloc
from hashlib import sha256

import pytest

from sources.files.failures import EndsEarly
from sources.files.json.array import ArrayFramer
from transforms.errors import ObjectFailed

LIMIT = 1 << 20
Records = list[tuple[int, bytes]]


def fed(text: bytes, *path: str, start: int = 0, limit: int = LIMIT, size: int = 7) -> ArrayFramer:
    """A framer that has been fed ``text`` from ``start`` on, in blocks of a size."""
    framer = ArrayFramer(start, path, limit, "file:///a.json")
    for at in range(start, len(text), size):
        framer.feed(text[at : min(at + size, len(text))])
    return framer


def records(framer: ArrayFramer) -> Records:
    return list(zip(framer.framed.offsets, framer.framed.raws, strict=True))


@pytest.mark.parametrize("size", [1, 5, 1_000])
@pytest.mark.parametrize(
    ("text", "elements"),
    [
        (b'[{"id":1},{"id":},{"id":3}]', [b'{"id":1}', b'{"id":}', b'{"id":3}']),
        (b"[1, oops, 'x', 2]", [b"1", b"oops", b"'x'", b"2"]),
        (b'[{"a":1} {"b":2},3]', [b'{"a":1} {"b":2}', b"3"]),
        (b'[{"a":"x\ny"},3]', [b'{"a":"x\ny"}', b"3"]),
        (b'[{a:[1,2]},{"b":NaN},{"c":1,},3]', [b"{a:[1,2]}", b'{"b":NaN}', b'{"c":1,}', b"3"]),
        (b"[1,2,]", [b"1", b"2"]),
        (b"[1] [2]\n[]\n", [b"1", b"2"]),
        (b"[]", []),
        (b" \n ", []),
    ],
)
def test_an_element_ends_at_its_comma_whatever_it_is(
    text: bytes, elements: list[bytes], size: int
) -> None:
    framer = fed(text, size=size)
    framer.finish()
    assert framer.framed.raws == elements
    assert [text[at:][: len(raw)] for at, raw in records(framer)] == elements
    assert (framer.next, framer.framed.refused) == (len(text), [])


@pytest.mark.parametrize("size", [1, 1_000])
def test_a_comma_without_an_element_before_it_is_a_failure(size: int) -> None:
    framer = fed(b"[,1,\n,2]", size=size)
    framer.finish()
    assert framer.framed.raws == [b"1", b"2"]
    refused = framer.framed.refused
    assert [(each.offset, each.category) for each in refused] == [
        *((0, "malformed"), (3, "malformed"))
    ]
    assert refused[1].message == "no element stands before the comma at line 2, byte 5"


def test_many_commas_without_elements_are_one_failure() -> None:
    framer = fed(b"[1," + b" ," * 5_000 + b"2]", size=100_000)
    assert framer.framed.raws == [b"1", b"2"]
    (refused,) = framer.framed.refused
    assert refused.message == "no element stands before 5,000 commas at line 1, byte 4"


@pytest.mark.parametrize("size", [1, 6, 1_000])
def test_an_element_over_the_limit_keeps_its_head_and_the_next_ones_are_read(size: int) -> None:
    framer = fed(b'[{"a":1},{"b":"xxxxxxxxxxxxxx"},{"c":3}]', limit=10, size=size)
    framer.finish()
    assert framer.framed.raws == [b'{"a":1}', b'{"c":3}']
    (refused,) = framer.framed.refused
    assert (refused.offset, refused.raw, refused.category) == (9, b'{"b":"xxxx', "too_large")
    assert "has 22 bytes" in refused.message
    assert sha256(b'{"b":"xxxxxxxxxxxxxx"}').hexdigest() in refused.message


@pytest.mark.parametrize("size", [1, 6, 1_000])
@pytest.mark.parametrize(
    ("text", "whole", "broken", "message"),
    [
        (b'[{"a":1},\n{"b":[1}},3]', 1, 10, "at line 2, byte 17, '}' closes what it did not open"),
        (b'[{"a":1},{"b":"x"y"},3]', 1, 9, "at line 1, byte 17, 'y' follows a string"),
        (b'[{"a":1}},3]', 0, 1, "at line 1, byte 8, '}' closes what it did not open"),
        (b"[1]x", 1, 2, "at line 1, byte 3, 'x' stands after the end of the array"),
        (b'{"a":1}', 0, 0, "at line 1, byte 0, '{' stands instead of an array"),
    ],
)
def test_where_brackets_or_quotes_do_not_match_reading_ends(
    text: bytes, whole: int, broken: int, message: str, size: int
) -> None:
    framer = ArrayFramer(0, (), LIMIT, "file:///a.json")
    with pytest.raises(ObjectFailed) as failed:  # noqa: PT012 - block by block
        for at in range(0, len(text), size):
            framer.feed(text[at : at + size])
    assert failed.value.category == "object_corrupt"
    assert str(failed.value) == f"file:///a.json cannot be read on: {message}"
    assert (len(framer.framed.raws), framer.next) == (whole, broken)


@pytest.mark.parametrize(
    ("text", "path", "whole", "broken", "what"),
    [
        (b"[", "", 0, 0, "array"),
        (b"[1,", "", 1, 2, "array"),
        (b'[{"a":1}\n', "", 1, 8, "array"),
        (b'[{"a":1},{"b":', "", 1, 9, "array"),
        (b"[1,23", "", 1, 3, "array"),
        (b'{"R":[1,2]', "R", 2, 9, "object around the array"),
        (b'{"R":', "R", 0, 0, "object"),
    ],
)
def test_of_an_array_that_is_cut_off_the_whole_elements_are_kept(
    text: bytes, path: str, whole: int, broken: int, what: str
) -> None:
    framer = fed(text, *filter(None, [path]))
    assert framer.unfinished
    with pytest.raises(EndsEarly) as failed:
        framer.finish()
    line = text.count(b"\n") + 1
    assert str(failed.value) == (
        f"file:///a.json is cut off: it ends at line {line}, byte {len(text)}, "
        f"and its {what} is not closed"
    )
    assert (len(framer.framed.raws), framer.next) == (whole, broken)


def test_reading_begins_at_any_record_and_at_every_next_position() -> None:
    text = b' [{"a":[1]} ,"x" , 3 ] \n'
    framer = ArrayFramer(0, (), LIMIT, "a.json")
    positions = set()
    for at in range(len(text)):
        framer.feed(text[at : at + 1])
        positions.add(framer.next)
    framer.finish()
    whole = records(framer)
    positions |= {offset for offset, _ in whole}
    assert len(positions) == 1 + 3 + 3
    for position in positions:
        rest = fed(text, start=position)
        rest.finish()
        assert records(rest) == [(at, raw) for at, raw in whole if at >= position]


def test_an_array_is_read_on_in_the_middle_of_the_objects_around_it() -> None:
    text = b'{"data":{"items":[1,2,3],"x":"]"}} {"data":{"items":[4]}}'
    rest = fed(text, "data", "items", start=text.index(b"2"))
    rest.finish()
    assert rest.framed.raws == [b"2", b"3", b"4"]


def test_an_element_without_an_end_is_never_held_whole() -> None:
    framer = ArrayFramer(0, (), 1_000, "a.json")
    framer.feed(b'[{"a":"')
    block = b"x" * 1_000
    tracemalloc.start()
    try:
        for _ in range(10_000):
            framer.feed(block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    framer.feed(b'"},{"b":1}]')
    assert framer.framed.raws == [b'{"b":1}']
    assert len(framer.framed.refused) == 1
