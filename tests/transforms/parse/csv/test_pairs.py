from __future__ import annotations

import csv
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.parse.csv import pairs
from transforms.parse.csv.pairs import are_paired

texts = st.lists(
    st.sampled_from([",", '"', '""', ',"', '",', "a", " ", "\n", '"\n', '\n"', "\r\n", "é"]),
    max_size=20,
).map(lambda parts: "".join(parts) + "\n")


def lines_of(text: str) -> list[list[str]] | None:
    """The rows of ``text``, of which each line is one; None if one is malformed."""
    lines = text.removesuffix("\n").split("\n")
    try:
        rows = [list(csv.reader(StringIO(line, newline=""), strict=True)) for line in lines]
        whole = list(csv.reader(StringIO(text, newline=""), strict=True))
    except csv.Error:
        return None
    alone = [row for of_line in rows for row in (of_line or [[]])]
    return whole if whole == alone and len(whole) == len(lines) else None


@settings(max_examples=1_000)
@given(texts)
def test_rows_with_paired_quotes_are_well_formed_and_end_with_their_line(text: str) -> None:
    if are_paired(text.encode(), b",", b'"'):
        assert lines_of(text) is not None


@settings(max_examples=300)
@given(st.lists(st.lists(st.text('ab,"; é', max_size=6), min_size=1, max_size=3), max_size=5))
def test_rows_as_the_standard_has_them_are_paired(rows: list[list[str]]) -> None:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows(rows)
    assert are_paired(out.getvalue().encode(), b",", b'"')


@pytest.mark.parametrize(
    "data",
    [b'5",6\n', b'5",6"\n', b'"a"b,c\n', b'"a\nb"\n', b'"a\n', b'a,b\n"c', b'"a" ,b\n', b'a"",b\n'],
)
def test_quotes_elsewhere_need_a_closer_look(data: bytes) -> None:
    expected = data == b'a,b\n"c'  # what is behind the last newline is not looked at
    assert are_paired(data, b",", b'"') is expected


def test_rows_are_looked_at_from_where_one_begins() -> None:
    data = b'is the end"\n"1",2\n'
    assert not are_paired(data, b",", b'"')
    assert are_paired(data, b",", b'"', data.index(b"\n") + 1)


def test_so_many_quotes_as_would_take_much_memory_are_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs, "MOST_QUOTES", 3)
    assert are_paired(b'"a"\n', b",", b'"')
    assert not are_paired(b'"a","b"\n', b",", b'"')
