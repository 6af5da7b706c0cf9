from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.parse.csv import pairs
from transforms.parse.csv.pairs import row_ends

texts = st.lists(
    st.sampled_from([",", '"', '""', ',"', '",', "a", " ", "\n", '"\n', '\n"', "\r\n", "é"]),
    max_size=20,
).map("".join)


def ends_of(data: bytes, start: int = 0) -> list[int] | None:
    ends = row_ends(data, b",", b'"', start)
    return None if ends is None else ends.tolist()


def rows_in(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text, newline=""), strict=True))


@settings(max_examples=1_000)
@given(texts)
def test_rows_end_where_csv_ends_them(text: str) -> None:
    data = text.encode()
    ends = ends_of(data)
    if ends is None:
        return
    rows = []
    start = 0
    for end in ends:
        rows += rows_in(data[start : end + 1].decode())
        start = end + 1
    assert rows == rows_in(data[:start].decode())
    assert len(rows) == len(ends)


@settings(max_examples=300)
@given(st.lists(st.lists(st.text('ab,"\n é', max_size=6), min_size=2, max_size=3), max_size=5))
def test_rows_as_the_standard_has_them_end_where_they_are_written(rows: list[list[str]]) -> None:
    data, ends = b"", []
    for row in rows:
        out = StringIO(newline="")
        csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
        data += out.getvalue().encode()
        ends.append(len(data) - 1)
    assert ends_of(data) == ends


@pytest.mark.parametrize(
    "data", [b'5",6\n', b'5",6"\n', b'"a"b,c\n', b'"a" ,b\n', b'a"",b\n', b'a,b\n "c"\n']
)
def test_quotes_elsewhere_need_a_closer_look(data: bytes) -> None:
    assert ends_of(data) is None


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (b"", []),
        (b"a", []),
        (b'a,b\n"c', [3]),
        (b'"a\n', []),
        (b'1\n"a\n', [1]),
        (b'"a\r\nb",c\r\n"d"\n', [9, 13]),
    ],
)
def test_what_has_no_end_yet_is_left(data: bytes, ends: list[int]) -> None:
    assert ends_of(data) == ends


def test_rows_are_looked_at_from_where_one_begins() -> None:
    data = b'is the end"\n"1",2\n'
    assert ends_of(data) is None
    assert ends_of(data, data.index(b"\n") + 1) == [len(data) - 1]


def test_so_many_quotes_as_would_take_much_memory_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs, "MOST_QUOTES", 3)
    assert ends_of(b'"a"\n') == [3]
    assert ends_of(b'"a","b"\n') is None
