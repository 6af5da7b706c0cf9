from __future__ import annotations

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sources.files.csv.framing import CsvFramer

LIMIT = 1 << 20


def framed(
    data: bytes,
    *cuts: int,
    delimiter: str = ",",
    limit: int = LIMIT,
    quote: str = '"',
    escape: str = "",
    comment: str = "",
) -> CsvFramer:
    framer = CsvFramer(0, delimiter, limit, quote=quote, escape=escape, comment=comment)
    edges = sorted({0, len(data), *(cut for cut in cuts if 0 < cut < len(data))})
    for low, high in pairwise(edges):
        framer.feed(data[low:high])
    framer.finish()
    return framer


def parsed(raw: bytes, delimiter: str = ",") -> list[str]:
    (row,) = csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=delimiter)
    return row


texts = st.lists(
    st.sampled_from(["\n", "\r\n", "\r", ",", '"', '""', ',"', '",', '"\n', "a", "bc", " ", "é"]),
    max_size=40,
).map("".join)


@given(texts, st.lists(st.integers(1, 80)))
@example('a,"b', [3])
@example('"a""', [2, 3])
@example('5" pipe,"6\n7"\n', [9])
@example('a,"b\r\nc\r"\r1,2\n\r', [5, 6, 9])
def test_records_are_those_of_pythons_csv(text: str, cuts: list[int]) -> None:
    data = text.encode()
    framer = framed(data, *cuts)
    rows = [
        row
        for row in csv.reader(io.StringIO(text, newline=""))
        if row and not (len(row) == 1 and not row[0].strip())
    ]
    # csv closes a quote at the end of the text without a word; here that is a failure.
    rows_cut = [parsed(raw) for raw in framer.framed.raws if raw.strip(b'" \r\n')]
    rows_read = [row for row in rows if len(row) > 1 or row[0].strip(' "\r\n')]
    if framer.framed.refused:
        assert framer.framed.refused[0].exception == "UnclosedQuote"
        rows_read = rows_read[: len(rows_cut)]
    assert rows_cut == rows_read
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


@pytest.mark.parametrize("cuts", [(), tuple(range(30)), (8,), (12,)])
def test_a_return_ends_a_record_as_a_newline_does(cuts: tuple[int, ...]) -> None:
    framer = framed(b'id,name\r1,Ann\r\n2,"B\ro"\r3,Cy\r', *cuts)
    assert framer.framed.raws == [b"id,name", b"1,Ann", b'2,"B\ro"', b"3,Cy"]
    assert framer.framed.offsets == [0, 8, 15, 23]
    assert (framer.next, framer.unfinished) == (28, False)


def test_a_return_at_the_end_of_what_there_is_may_still_get_its_newline() -> None:
    framer = CsvFramer(0, ",", LIMIT)
    framer.feed(b"1,a\r")
    assert framer.unfinished
    assert framer.framed.raws == []
    framer.feed(b"\n2,b\r\n")
    assert framer.framed.offsets == [0, 5]
    assert not framer.unfinished


@pytest.mark.parametrize("cuts", [(), tuple(range(30))])
def test_an_escaped_return_belongs_to_its_field(cuts: tuple[int, ...]) -> None:
    framer = framed(b"1,a\\\r\n2,b\\\\\r\n3,c\\\rd\r", *cuts, escape="\\").framed
    assert framer.raws == [b"1,a\\\r", b"2,b\\\\", b"3,c\\\rd"]


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


@given(
    st.lists(
        st.lists(st.text("ab;'\\\n ", max_size=6), min_size=2, max_size=4), min_size=1, max_size=8
    ),
    st.lists(st.integers(1, 80)),
)
def test_what_csv_writes_with_an_escape_comes_back_at_its_offset(
    rows: list[list[str]], cuts: list[int]
) -> None:
    text = io.StringIO(newline="")
    offsets = []
    for row in rows:
        offsets.append(text.tell())
        csv.writer(
            text,
            delimiter=";",
            quotechar="'",
            escapechar="\\",
            doublequote=False,
            lineterminator="\n",
            quoting=csv.QUOTE_ALL,
        ).writerow(row)
    data = text.getvalue().encode()
    framer = framed(data, *cuts, delimiter=";", quote="'", escape="\\").framed
    assert [
        next(
            csv.reader(
                io.StringIO(raw.decode(), newline=""),
                delimiter=";",
                quotechar="'",
                escapechar="\\",
                doublequote=False,
            )
        )
        for raw in framer.raws
    ] == rows
    assert framer.offsets == offsets


@pytest.mark.parametrize("cuts", [(), tuple(range(60))])
def test_an_escaped_newline_outside_quotes_stays_in_the_record(cuts: tuple[int, ...]) -> None:
    data = b"1\ta\\\nb\n2\tc\\\\\n3\td\n"
    framer = framed(data, *cuts, delimiter="\t", quote="", escape="\\").framed
    assert framer.raws == [b"1\ta\\\nb", b"2\tc\\\\", b"3\td"]
    assert framer.offsets == [0, 7, 13]


@pytest.mark.parametrize("cuts", [(), tuple(range(60))])
def test_comments_are_not_records_whatever_is_in_them(cuts: tuple[int, ...]) -> None:
    data = b'# it"s,one\na,b\n#"x\n"#c\n#d",e\n#'
    framer = framed(data, *cuts, comment="#")
    assert framer.framed.raws == [b"a,b", b'"#c\n#d",e']
    assert framer.framed.offsets == [11, 19]
    assert framer.next == len(data)


def test_a_comment_over_the_limit_is_not_a_failure() -> None:
    framer = framed(b"#" + b"x" * 50 + b"\na,b\n", 20, comment="#", limit=8)
    assert framer.framed.raws == [b"a,b"]
    assert framer.framed.refused == []


def test_without_a_quote_every_line_is_a_record() -> None:
    assert framed(b'"a,b\nc",d\n', quote="").framed.raws == [b'"a,b', b'c",d']
