from __future__ import annotations

from typing import Any

import pytest

from sources.files.csv.head import CsvRules, Head, described, read_head
from sources.files.csv.options import CsvOptions
from sources.files.failures import Undecided
from sources.files.framing import BOM
from tests.io.sources.files.blocks import Blocks
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import Format
from transforms.errors import ObjectFailed

LIMIT = 1 << 20
URI = "file:///x.csv"


def head_of(
    *blocks: bytes,
    usual: str = ",",
    expected: frozenset[str] = frozenset(),
    complete: bool = False,
    renamed: bool = False,
    growing: bool = False,
    **options: Any,
) -> Head:
    fields = ExpectedFields(expected, complete, renamed)
    rules = CsvRules(CsvOptions.of(**options), usual, LIMIT, expected=fields)
    return read_head(Blocks(*blocks), rules, URI, growing=growing)


def columns_of(*blocks: bytes, **options: Any) -> tuple[tuple[str, ...], str]:
    format_ = head_of(*blocks, **options).format
    return format_.columns, format_.delimiter


class TestHeader:
    def test_names_and_where_the_records_begin(self) -> None:
        assert head_of(b"id,na", b"me\r\n1,a\n") == Head(Format("csv", ("id", "name")), 9)

    def test_byte_order_mark_is_not_part_of_a_name(self) -> None:
        assert head_of(BOM[:1], BOM[1:] + b'"id",x\n') == Head(Format("csv", ("id", "x")), 10)

    def test_newline_in_a_quoted_name(self) -> None:
        assert head_of(b'"a\nb",c\n1,2\n') == Head(Format("csv", ("a\nb", "c")), 8)

    def test_object_without_records_has_no_columns(self) -> None:
        assert head_of(b"\n\n") == Head(Format("csv"), 2)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b"\xff\xe4\n", "can't decode.*--encoding"),
            (b'"a,b\n', "never closed.*--csv_quote none"),
            (b'"a"x,b\n1,2\n', "expected after.*--csv_quote none"),
            (b",,\n1,2,3\n", "none of its fields is a name.*--csv_columns"),
            ("id,name\n1,a\n".encode("utf-16-be"), "--encoding utf-16-be"),
            ("id,name\n1,a\n".encode("utf-16-le"), "--encoding utf-16-le"),
        ],
    )
    def test_a_header_that_cannot_be_read_is_refused_and_the_option_named(
        self, text: bytes, reason: str
    ) -> None:
        with pytest.raises(Undecided, match=reason) as refused:
            head_of(text)
        assert URI in str(refused.value)

    @pytest.mark.parametrize(
        "header",
        [
            b"7,Ann",
            b"Ann,7.5",
            b"Ann,2024-01-02",
            b"Ann,2024-01-02T03:04:05Z,x",
            b"Ann,true",
            b"ann@example.org,Ann",
            b"0b9f1f9e-4f1c-4a8a-9d2f-1f0e7f3b2a11,Ann",
            b"7",
            b"Ann,7,9,30",
        ],
    )
    def test_a_first_line_of_values_is_refused_and_the_options_named(self, header: bytes) -> None:
        with pytest.raises(Undecided, match=r"--csv_header true.*--csv_columns") as refused:
            head_of(header + b"\n" + header + b"\n")
        assert URI in str(refused.value)

    @pytest.mark.parametrize(
        "header",
        [
            b"country,2019,2020,2021",
            b"product,1,2,3,4",
            b"shop,2024-01-01,2024-01-02,2024-01-03",
            b"id,1st,q2_2024",
            b"note",
            b"a b,c-d,e@f",
        ],
    )
    def test_names_that_are_numbers_or_dates_in_order_are_names(self, header: bytes) -> None:
        columns, _ = columns_of(header + b"\nx" + b",1" * header.count(b",") + b"\n")
        assert ",".join(columns).encode() == header

    def test_a_header_without_any_expected_column_is_refused(self) -> None:
        expected = frozenset({"id", "name"})
        with pytest.raises(Undecided, match="expected \\(id, name\\)"):
            head_of(b"Ann,London\nBo,Paris\n", expected=expected)
        assert columns_of(b"town,name\n", expected=expected)[0] == ("town", "name")

    def test_what_the_user_says_of_the_header_is_taken(self) -> None:
        assert columns_of(b"7,8\n1,2\n", header="true")[0] == ("7", "8")
        assert head_of(b"7,Ann\n", header="false") == Head(
            Format("csv", ("column_1", "column_2")), 0
        )
        assert head_of(BOM + b"7,Ann\n", columns="id,name") == Head(
            Format("csv", ("id", "name")), 3
        )
        assert head_of(b"ID,Full name\n7,Ann\n", columns="id,name", header="true") == Head(
            Format("csv", ("id", "name")), 13
        )

    def test_names_beside_the_same_header_are_refused(self) -> None:
        with pytest.raises(Undecided, match="--csv_header true"):
            head_of(b"id,name\n7,Ann\n", columns="id,name")

    def test_names_that_are_not_as_many_as_the_header_are_refused(self) -> None:
        with pytest.raises(Undecided, match="header of 3 columns, and --csv_columns names 2"):
            head_of(b"a,b,c\n", columns="id,name", header="true")

    def test_a_growing_header_without_its_end_is_not_one_yet(self) -> None:
        with pytest.raises(ObjectFailed, match="no end yet"):
            head_of(b"id,na", growing=True)
        assert columns_of(b"id,na")[0] == ("id", "na")


class TestDelimiter:
    @pytest.mark.parametrize(
        ("text", "delimiter", "width"),
        [
            (b"id;name;n\n1;Ann;1,5\n", ";", 3),
            (b"id\tname\n1\tAnn\n", "\t", 2),
            (b"id|name\n1|a,b\n2|c\n", "|", 2),
            (b"id;name\n", ";", 2),
            (b'id;name\n1;"a;b\nc"\n2;d\n', ";", 2),
            (b'"id";"last, first"\n1;Ann\n2;Bo\n', ";", 2),
            (b"id,name\n1,a;b\n2,c;d\n", ",", 2),
            (b"id,name\n1\n1,2,3\n", ",", 2),
            (b"id;x;y,z\n1;2;3\n4;5;6\n", ";", 3),
            (b"note\nhello; world\nx\n", ",", 1),
            (b"a|b\nx\ny\n", ",", 1),
            (b"lat;lon,name\n1;2,a\n3;4,b\n", ",", 2),
            (b"id;name\n1;a\n2;b\n3;c;d\n", ";", 2),
        ],
    )
    def test_it_is_the_one_that_makes_a_table_of_the_first_lines(
        self, text: bytes, delimiter: str, width: int
    ) -> None:
        columns, detected = columns_of(text)
        assert detected == delimiter
        assert len(columns) == width

    def test_rows_that_are_not_alike_are_refused(self) -> None:
        with pytest.raises(Undecided, match="--csv_delimiter"):
            head_of(b"id;name\n1;a;x\n2;b;y;z\n3\n")

    @pytest.mark.parametrize("text", [b"id;name;\n1;a\n2;b\n", b"id;name\n1;a;\n2;b;\n"])
    def test_a_delimiter_at_the_end_of_lines_does_not_hide_it(self, text: bytes) -> None:
        assert columns_of(text) == (("id", "name", ""), ";")

    @pytest.mark.parametrize("hint", [b"sep=;\r\n", b'"sep=;"\n', b"SEP=;\r"])
    def test_a_spreadsheet_names_it_in_a_line_before_the_header(self, hint: bytes) -> None:
        head = head_of(BOM + hint + b"a,b;c\n1;2\n")
        assert head == Head(Format("csv", ("a,b", "c"), ";"), 3 + len(hint) + 6)
        assert columns_of(hint + b"a|b\n1|2\n", delimiter="|")[0] == ("a", "b")

    def test_the_name_of_the_object_counts_first(self) -> None:
        assert columns_of(b"id\tname\n1\ta\n", usual="\t") == (("id", "name"), "\t")
        assert columns_of(b"id,name\n1,a\n", usual="\t") == (("id", "name"), ",")

    def test_what_the_user_says_is_taken(self) -> None:
        assert columns_of(b"id;x,name\n1;2,a\n", delimiter=";") == (("id", "x,name"), ";")
        assert columns_of(b"id\tname\n", delimiter="\\t")[1] == "\t"
        assert columns_of(b"id\tname\n", delimiter="TAB")[1] == "\t"


class TestOptions:
    def test_lines_to_skip_and_comments_come_before_the_header(self) -> None:
        head = head_of(b"made today\n\n# by,me\nid,name\n1,a\n", skip=2, comment="#")
        assert head == Head(Format("csv", ("id", "name")), 28)

    @pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"])
    def test_lines_to_skip_end_as_records_do(self, end: bytes) -> None:
        head = head_of(end.join([b"made today", b"", b"id,name", b"1,a", b""]), skip=2)
        assert head == Head(Format("csv", ("id", "name")), 17 + 3 * len(end))

    def test_more_lines_to_skip_than_there_are(self) -> None:
        assert head_of(b"a\nb\n", skip=9) == Head(Format("csv"), 4)

    def test_quote_escape_and_nulls_are_part_of_the_format(self) -> None:
        head = head_of(b"'id';x\n", delimiter=";", quote="'", escape="\\", nulls=("NA",))
        assert head.format == Format("csv", ("id", "x"), ";", "'", "\\", ("NA",))
        assert head_of(b'"id",x\n', quote="none").format.columns == ('"id"', "x")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"<!DOCTYPE html>\n<html><body>404, not found</body></html>\n", "an HTML page"),
        (b"\n  <HTML>\n", "an HTML page"),
        (b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n', "XML"),
        (b'{"error": "denied", "code": 403}\n', "JSON"),
        (b'[{"id": 1}]', "JSON"),
        (b"PK\x03\x04\x14\x00", "a spreadsheet"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"a\0b,c\0d\n", "binary"),
        (b"\0\0\0\0", "binary"),
    ],
)
def test_what_is_not_csv_fails_the_object_and_is_named(start: bytes, what: str) -> None:
    with pytest.raises(ObjectFailed, match=what) as failed:
        head_of(start)
    assert failed.value.category == "unknown_format"
    assert not isinstance(failed.value, Undecided)


@pytest.mark.parametrize(
    ("head", "encoding", "text"),
    [
        (Head(Format("csv", ("id",)), 3), "", "a comma, 1 column"),
        (Head(Format("csv", ("id", "n"), ";"), 3), "iso8859-1", "';', 2 columns, iso8859-1"),
        (Head(Format("csv", ("id", ""), "\t"), 3), "", "a tab, 2 columns (1 without a name)"),
    ],
)
def test_how_an_object_is_written_is_said_in_a_few_words(
    head: Head, encoding: str, text: str
) -> None:
    assert described(head, encoding) == text
