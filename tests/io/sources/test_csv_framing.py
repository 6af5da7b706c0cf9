from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.csv_framing import CsvFramer, Header, read_header
from sources.framing import BOM
from transforms.errors import ObjectFailed

LIMIT = 1 << 20


class Blocks:
    """A stream of given blocks."""

    def __init__(self, *blocks: bytes) -> None:
        self._blocks = list(blocks)

    @property
    def stored(self) -> int:
        return 0

    def read(self) -> bytes:
        return self._blocks.pop(0) if self._blocks else b""


def framed(data: bytes, *cuts: int, delimiter: str = ",", limit: int = LIMIT) -> CsvFramer:
    framer = CsvFramer(0, delimiter, limit)
    edges = sorted({0, len(data), *(cut for cut in cuts if 0 < cut < len(data))})
    for low, high in pairwise(edges):
        framer.feed(data[low:high])
    framer.finish()
    return framer


def parsed(raw: bytes, delimiter: str = ",") -> list[str]:
    (row,) = csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter)
    return row


texts = st.lists(
    st.sampled_from(["\n", "\r\n", ",", '"', '""', ',"', '",', '"\n', "a", "bc", " ", "é"]),
    max_size=40,
).map("".join)


@given(texts, st.lists(st.integers(1, 80)))
@example('a,"b', [3])
@example('"a""', [2, 3])
@example('5" pipe,"6\n7"\n', [9])
def test_records_are_those_of_pythons_csv(text: str, cuts: list[int]) -> None:
    data = text.encode()
    framer = framed(data, *cuts)
    rows = [
        row
        for row in csv.reader(io.StringIO(text, newline=""))
        if row and not (len(row) == 1 and not row[0].strip())
    ]
    # csv closes a quote at the end of the text without a word; here that is a failure.
    ours = [parsed(raw) for raw in framer.framed.raws if raw.strip(b'" \r\n')]
    theirs = [row for row in rows if len(row) > 1 or row[0].strip(' "\r\n')]
    if framer.framed.refused:
        assert framer.framed.refused[0].exception == "UnclosedQuote"
        theirs = theirs[: len(ours)]
    assert ours == theirs
    assert framer.next == len(data)


@given(texts, st.lists(st.integers(1, 80)))
def test_any_cut_into_blocks_gives_the_same_records(text: str, cuts: list[int]) -> None:
    data = text.encode()
    once, often = framed(data).framed, framed(data, *cuts).framed
    assert once == often


@given(
    st.lists(st.lists(st.text("ab,\"\n\r '", max_size=8), min_size=2, max_size=4), max_size=12),
    st.sampled_from([",", "\t", ";"]),
)
def test_what_csv_writes_comes_back_at_its_offset(rows: list[list[str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    offsets = []
    for row in rows:
        offsets.append(text.tell())
        csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerow(row)
    framer = framed(text.getvalue().encode(), delimiter=delimiter)
    assert [parsed(raw, delimiter) for raw in framer.framed.raws] == rows
    assert framer.framed.offsets == offsets


def test_quote_within_a_plain_field_does_not_open_quoting() -> None:
    assert framed(b'5" pipe,a\nb,6"\n').framed.raws == [b'5" pipe,a', b'b,6"']


def test_newline_in_quotes_stays_in_the_record() -> None:
    framer = framed(b'a,"x\r\n\r\ny"\r\nb,c\r\n').framed
    assert framer.raws == [b'a,"x\r\n\r\ny"', b"b,c"]
    assert framer.offsets == [0, 12]


def test_a_record_of_empty_tab_separated_fields_is_not_blank() -> None:
    assert framed(b"\t\t\n \n\n", delimiter="\t").framed.raws == [b"\t\t"]


def test_unclosed_quote_at_the_end_is_a_failure_with_its_bytes() -> None:
    framer = framed(b'a,b\nc,"d\ne,f\n').framed
    assert framer.raws == [b"a,b"]
    (refused,) = framer.refused
    assert (refused.offset, refused.raw) == (4, b'c,"d\ne,f\n')
    assert (refused.category, refused.exception) == ("malformed", "UnclosedQuote")


@pytest.mark.parametrize("cuts", [(), (5, 9), tuple(range(40))])
def test_record_over_the_limit_is_refused_and_the_next_one_read(cuts: tuple[int, ...]) -> None:
    framer = framed(b'a,"' + b"x\n" * 10 + b'"\nb,c\n', *cuts, limit=8)
    assert framer.framed.raws == [b"b,c"]
    assert framer.framed.offsets == [25]
    (refused,) = framer.framed.refused
    assert (refused.offset, refused.raw) == (0, b'a,"x\nx\nx')
    assert "24 bytes" in refused.message


class TestHeader:
    @staticmethod
    def of(*blocks: bytes, delimiter: str = ",") -> Header:
        return read_header(Blocks(*blocks), delimiter, LIMIT, "file:///x.csv")

    def test_names_and_where_the_records_begin(self) -> None:
        assert self.of(b"id,na", b"me\r\n1,a\n") == Header(("id", "name"), 9)

    def test_byte_order_mark_is_no_part_of_a_name(self) -> None:
        assert self.of(BOM[:1], BOM[1:] + b'"id",x\n') == Header(("id", "x"), 10)

    def test_newline_in_a_quoted_name(self) -> None:
        assert self.of(b'"a\nb",c\n1,2\n') == Header(("a\nb", "c"), 8)

    def test_object_without_records_has_no_columns(self) -> None:
        assert self.of(b"\n\n") == Header((), 2)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b"a,b,a\n", "'a' is there twice"),
            (b"a,,b\n", "column 2 of 3 has no name"),
            (b"\xff\xfe\n", "can't decode"),
            (b'"a,b\n', "never closed"),
        ],
    )
    def test_unusable_header_fails_the_object(self, text: bytes, reason: str) -> None:
        with pytest.raises(ObjectFailed, match=reason) as failed:
            self.of(text)
        assert failed.value.category == "object_corrupt"
        assert "file:///x.csv" in str(failed.value)
