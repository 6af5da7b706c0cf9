from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.record import Format
from transforms.errors import Reject
from transforms.parse.csv.rows import Row, parse_row, parse_rows

AB = Format("csv", ("a", "b"))
LIMIT = 1 << 20


def rejection(raw: bytes, format: Format = AB, max_bytes: int = LIMIT) -> Reject:  # noqa: A002
    with pytest.raises(Reject) as caught:
        parse_row(raw, max_bytes, format)
    assert parse_rows([b"1,2", raw], max_bytes, format) is None, "the fast way let it pass"
    return caught.value


class TestParse:
    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            (b"1,2", {"a": "1", "b": "2"}),
            (b"1,2\r", {"a": "1", "b": "2"}),
            (b",", {"a": "", "b": ""}),
            (b'"x,y","say ""hi"""', {"a": "x,y", "b": 'say "hi"'}),
            (b'"two\nlines",2', {"a": "two\nlines", "b": "2"}),
            (b'"two\r\nlines",2', {"a": "two\r\nlines", "b": "2"}),
            (b"nul\x00,2", {"a": "nul\x00", "b": "2"}),
            ("é, 2".encode(), {"a": "é", "b": " 2"}),
        ],
    )
    def test_a_row_is_a_dict_of_text(self, raw: bytes, value: dict[str, str]) -> None:
        assert parse_row(raw, LIMIT, AB) == value
        assert parse_rows([raw, raw], LIMIT, AB) == [value, value]

    def test_another_delimiter(self) -> None:
        assert parse_row(b"1,5\t2", LIMIT, Format("csv", ("a", "b"), "\t")) == {
            "a": "1,5",
            "b": "2",
        }

    @pytest.mark.parametrize(
        ("raw", "category"),
        [
            (b"1", "column_count"),
            (b"1,2,3", "column_count"),
            (b"", "column_count"),
            (b"\xff,2", "invalid_utf8"),
            (b'"open,2', "malformed"),
            (b'"a"b,2', "malformed"),
            (b"1,2\n3,4", "malformed"),
        ],
    )
    def test_what_cannot_be_read_is_rejected_by_category(self, raw: bytes, category: str) -> None:
        assert rejection(raw).category == category

    @pytest.mark.parametrize(
        ("raw", "reason"),
        [
            (b'"a"b,2', "the quote at byte 2 ends a field, and 'b' follows instead of ','"),
            (
                'é,"x" ,'.encode(),
                "the quote at byte 5 ends a field, and ' ' follows instead of ','",
            ),
            (b'"a""b"c,2', "the quote at byte 5 ends a field, and 'c' follows instead of ','"),
            (b'1,"2\n3,4', "the quote at byte 2 is never closed"),
            (b"1,2\n3,4", "the line end at byte 3 is not within quotes"),
            (b"1\r2,3", "the line end at byte 1 is not within quotes"),
        ],
    )
    def test_what_is_malformed_has_a_place(self, raw: bytes, reason: str) -> None:
        assert str(rejection(raw)) == f"CSV is malformed: {reason}"

    def test_an_escape_takes_the_meaning_of_a_quote(self) -> None:
        escaping = Format("csv", ("a", "b"), escape="\\")
        assert "byte 5 ends a field" in str(rejection(b'"a\\"b"c,2', escaping))

    def test_a_wrong_number_of_columns_is_told(self) -> None:
        seven = Format("csv", tuple("abcdefg"))
        assert str(rejection(b"1,2,3,4,5,6", seven)) == "expected 7 columns, got 6"

    def test_a_long_row_is_too_large(self) -> None:
        error = rejection(b"1," + b"x" * 100, max_bytes=100)
        assert (error.category, str(error)) == (
            "too_large",
            "the record has 102 bytes, limit 100",
        )

    def test_a_field_may_be_as_long_as_a_record(self) -> None:
        long = b"x" * 200_000  # Python's own limit is 131,072
        assert parse_row(b"1," + long, LIMIT, AB)["b"] == long.decode()

    def test_a_header_that_names_a_column_twice_loses_no_field_in_silence(self) -> None:
        error = rejection(b"1,2", Format("csv", ("a", "a")))
        assert (error.category, str(error)) == (
            "duplicate_column",
            "the header names column 'a' twice",
        )


def test_an_open_quote_does_not_swallow_the_next_record() -> None:
    assert parse_rows([b'"1,2', b'3",4', b"5,6"], LIMIT, AB) is None


fields = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(fields, fields), min_size=1, max_size=5))
def test_rows_come_back_as_written(rows: list[tuple[str, str]]) -> None:
    raws = []
    for row in rows:
        text = io.StringIO()
        csv.writer(text, lineterminator="", quoting=csv.QUOTE_ALL).writerow(row)
        raws.append(text.getvalue().encode())
    expected = [{"a": a, "b": b} for a, b in rows]
    assert [parse_row(raw, LIMIT, AB) for raw in raws] == expected
    assert parse_rows(raws, LIMIT, AB) == expected


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4))
def test_both_ways_agree_on_any_bytes(raws: list[bytes]) -> None:
    values: list[Row] | None = []
    for raw in raws:
        try:
            row = parse_row(raw, LIMIT, AB)
        except Reject:
            values = None
        if values is not None:
            values.append(row)
    assert parse_rows(raws, LIMIT, AB) == values


class TestNulls:
    def test_unquoted_text_that_stands_for_null_is_none(self) -> None:
        na = Format("csv", ("a", "b"), nulls=("NA", "\\N"))
        raws = [b"NA,x", b"\\N,NAN", b'"NA",', b'"x ""NA""",NA']
        rows = [
            {"a": None, "b": "x"},
            {"a": None, "b": "NAN"},
            {"a": "NA", "b": ""},
            {"a": 'x "NA"', "b": None},
        ]
        assert [parse_row(raw, LIMIT, na) for raw in raws] == rows
        assert parse_rows(raws, LIMIT, na) == rows

    def test_the_empty_text_can_stand_for_null_and_quoted_it_does_not(self) -> None:
        empty = Format("csv", ("a", "b"), nulls=("",))
        assert parse_row(b',""', LIMIT, empty) == {"a": None, "b": ""}

    def test_null_is_told_before_the_escape_is_taken_away(self) -> None:
        mysql = Format("csv", ("a", "b"), "\t", escape="\\", nulls=("\\N",))
        assert parse_row(b"\\N\tN", LIMIT, mysql) == {"a": None, "b": "N"}


def test_quote_and_escape_are_those_of_the_format() -> None:
    single = Format("csv", ("a", "b"), ";", quote="'", escape="\\")
    assert parse_row(b"'x;''y';\\;", LIMIT, single) == {"a": "x;'y", "b": ";"}
    assert parse_row(b"'it\\'s';\"", LIMIT, single) == {"a": "it's", "b": '"'}


def test_without_a_quote_quotes_are_text() -> None:
    assert parse_row(b'"x,y"', LIMIT, Format("csv", ("a", "b"), quote="")) == {"a": '"x', "b": 'y"'}


def test_text_is_read_in_the_encoding_of_the_format() -> None:
    latin = Format("csv", ("a", "b"), encoding="latin-1")
    assert parse_row(b"Zo\xeb,x", LIMIT, latin) == {"a": "Zo\xeb", "b": "x"}
    assert rejection(b"\x81,x", Format("csv", ("a", "b"), encoding="cp1252")).category == (
        "invalid_text"
    )
