from __future__ import annotations

import pytest

from sources.files.encodings import PeekedStream
from sources.files.framing import BOM, LineFramer
from sources.files.json.array import ArrayFramer
from sources.files.json.layout import (
    ARRAY,
    LINES,
    SEQUENCE,
    Layout,
    layout_of,
    parsed_partition,
    read_layout,
)
from sources.files.json.sequence import SequenceFramer
from tests.io.sources.files.blocks import Blocks
from transforms.batch.record import JSON, Failure, Origin, RecordBatch, Span

RECORDS = Layout("array", ("data", "items"))


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (b'{"a":1}\n{"a":2}\n', LINES),
        (b'{"a":1}\r\n\r\n{"a":2}', LINES),
        (b'{"a":1}', LINES),
        (b'{"a":1}\n{"a":\n{"a":3}\n', LINES),
        (b'{"a":\n{"a":2}\n{"a":3}\n', LINES),
        (b'{"a":\n{"a":2}\n', LINES),
        (b'{"a":"x\n{"a":2}\n', LINES),
        (b"[1,2]\n[3]\n", LINES),
        (b'[{"a":1}]\n[{"a":2}]\n', LINES),
        (b"[INFO] started\n", LINES),
        (b"1\n2\n", LINES),
        (b"oops", LINES),
        (b"", LINES),
        (b'[{"a":1},{"a":2}]', ARRAY),
        (b'[{"a":1},{"a":2}]\n', ARRAY),
        (b'\n [\n{"a":1},\n{"a":2}\n]\n', ARRAY),
        (b'[{"a":1},\n{"a":}]', ARRAY),
        (b"[1,\n2]", ARRAY),
        (b"[]", ARRAY),
        (b"[", ARRAY),
        (b'[\n{"a":1},\n{"a"', ARRAY),
        (b'{"a":1}{"a":2}', SEQUENCE),
        (b'{"a":1}{"a":2}\n{"a":3}\n', SEQUENCE),
        (b'{"a":1} {"a":2}', SEQUENCE),
        (b'{"a":1},\n{"a":2},\n', SEQUENCE),
        (b'{\n "a": 1\n}', SEQUENCE),
        (b'{\n "a": [\n  {"b":1}\n ]\n}\n{\n "a": 2}', SEQUENCE),
        (b'{\n "a": [\n  {"b":1},', SEQUENCE),
        (b'\x1e{"a":1}\n\x1e{"a":2}\n', SEQUENCE),
    ],
)
def test_the_start_of_an_object_shows_its_layout(text: bytes, layout: Layout) -> None:
    for mark in (b"", BOM):
        assert layout_of(mark + text, whole=True) == layout


def test_a_name_that_says_lines_is_overruled_by_an_array_alone() -> None:
    for text in (b'{\n "a": 1\n}', b'{"a":1}{"a":2}', b""):
        assert layout_of(text, whole=True, lines_by_name=True) == LINES
    assert layout_of(b'[\n{"a":1}\n]', whole=True, lines_by_name=True) == ARRAY


@pytest.mark.parametrize("text", [b"", b"[", b'{"a":1}', b'{"a":1', b"[1]\n", b'{"a":{"b":1}'])
def test_more_is_needed_where_the_rest_decides(text: bytes) -> None:
    assert layout_of(text, whole=False) in (None, LINES if not text else None)


class TestReading:
    def layout(self, *blocks: bytes, growing: bool = False, limit: int = 1 << 20) -> Layout | None:
        stream = PeekedStream(Blocks(*blocks))
        layout = read_layout(stream, limit, lines_by_name=False, growing=growing)
        read = b""
        while block := stream.read():
            read += block
        assert read == b"".join(blocks), "what was looked at is read all the same"
        return layout

    def test_blocks_are_looked_at_until_they_decide(self) -> None:
        assert self.layout(b"[", b'{"a":1}', b"]") == ARRAY
        assert self.layout(*[b" " * 1_000] * 70, b'[{"a":1}]') == LINES

    def test_a_long_first_value_is_looked_at_as_a_whole(self) -> None:
        long = b'{"a":"' + b"x" * 300_000 + b'"}'
        assert self.layout(long, long) == SEQUENCE
        assert self.layout(long, b"\n", long) == LINES
        assert self.layout(long, long, limit=100_000) == LINES

    def test_the_end_of_a_growing_object_decides_nothing(self) -> None:
        assert self.layout(b'{"a":1}', growing=True) is None
        assert self.layout(b'{"a":1}\n', growing=True) == LINES
        assert self.layout(b'[{"a":1},', growing=True) == ARRAY


class TestPartitions:
    def test_the_layout_is_part_of_the_name_except_for_lines(self) -> None:
        for layout, name in (
            (LINES, "abc-1"),
            (ARRAY, "abc-1;array"),
            (SEQUENCE, "abc-1;sequence"),
            (RECORDS, "abc-1;array:data.items"),
        ):
            assert layout.partition("abc-1") == name
            assert parsed_partition(name) == ("abc-1", layout)

    def test_a_layout_is_said_in_words_and_in_options(self) -> None:
        assert (str(ARRAY), str(RECORDS)) == ("array", "array at data.items")
        assert RECORDS.options == "--json_layout array --json_path data.items"

    def test_each_layout_has_its_framer(self) -> None:
        framers = [type(each.framer(0, 1, "")) for each in (LINES, ARRAY, SEQUENCE)]
        assert framers == [LineFramer, ArrayFramer, SequenceFramer]


def batch(raw: bytes, offset: int = 10, *, failed: bool = False) -> RecordBatch:
    failure = Failure(Origin("a", "v", 90), b"", JSON, "read", "object_corrupt", "", "", "")
    failures = (failure,) if failed else ()
    return RecordBatch(Span("a", "v", 0, 99), JSON, [offset], [raw], failures=failures)


def test_a_grown_object_is_read_on_where_its_layout_allows_it() -> None:
    last, before = batch(b"{}", 97), batch(b"{}")
    assert (LINES.read_on_at(last, 99), LINES.read_on_at(before, 99)) == (97, 99)
    assert (SEQUENCE.read_on_at(last, 99), SEQUENCE.read_on_at(batch(b"12", 97), 99)) == (99, 97)
    assert ARRAY.read_on_at(last, 99) == 0, "an array that was closed is another one"
    assert ARRAY.read_on_at(batch(b"{}", failed=True), 99) == 90
