"""Messages of what could not be read quote nothing of it where fields are hidden."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from transforms.batch.record import JSON, Failure, Format, Origin, RecordBatch, Span
from transforms.parse.epochs import EpochColumn
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.quotes import without_quotes
from transforms.parse.typed_rows import RowEncoder, Unreadable

SECRET = b"adalovelace"
CSV = Format("csv", ("email", "n"))
READ = Failure(
    origin=Origin("file:///a", "p", 0),
    raw=b"x",
    format=JSON,
    stage="read",
    category="malformed",
    exception="ObjectFailed",
    message="at byte 7: 'a' follows a string",
    stack="",
)


def batch_of(raw: bytes, format_: Format) -> RecordBatch:
    return RecordBatch(Span("s", "p", 0, 1), format_, [0], [raw])


@pytest.mark.parametrize(
    ("raw", "format_", "says"),
    [
        (b'{"email": adalovelace', JSON, "byte 10"),
        (b"adalovelace", JSON, "byte 0"),
        (b'{"email": "adalovelace\\uD800"}', JSON, "byte 22"),
        (b'{"email": "\xffadalovelace"}', JSON, "byte 11"),
        (b'{"n": 1e99999999999999adalovelace}', JSON, "byte"),
        (b'{"n": 1%b}' % (b"2" * 200_000), JSON, "digits"),
        (b'{"n": 12345e99999999}', JSON, "byte 6"),
        (b"\0adalovelace", JSON, "Confluent"),
        (b'"adalovelace"', JSON, "a string"),
        (b'"adalovelace"x,1', CSV, "byte 12"),
        (b'"adalovelace', CSV, "byte 0"),
        (b"adalovelace", CSV, "columns"),
        (b"\xff,1", CSV, "byte 0"),
        (b"a,b", Format("csv", ("adalovelace", "adalovelace")), "names a column twice"),
        (b'[{"at": "adalovelace"}, {"at": "date"}]', Format("parquet"), "cannot be read"),
        (b'[{"at": "adalovelace"}, {"at": "nosuch"}]', Format("avro"), "cannot be read"),
        (b"\xffadalovelace", Format("text"), "byte 0"),
        (b'{"at": 12345678901234567890123456789}', JSON, "column at"),
        (b'\xffa"', Format("json", encoding="ascii"), "byte 0"),
    ],
)
def test_the_place_is_said_and_nothing_that_stands_there(
    raw: bytes, format_: Format, says: str
) -> None:
    config = ParseConfig(quotes=False, epochs=(EpochColumn("at", "ms"),))
    (failure,) = parse(batch_of(raw, format_), config).failures
    told = failure.message + re.sub(r"line \d+", "", failure.stack)
    assert says in failure.message
    for fragment in (SECRET.decode(), SECRET.hex(), "12345", "0xFF", "'x'", "uD800", "222"):
        assert fragment not in told
    assert str(int.from_bytes(SECRET[:4], "big")) not in told
    assert failure.raw == raw


def test_the_same_record_is_told_with_a_fragment_where_nothing_is_hidden() -> None:
    (failure,) = parse(batch_of(b'{"email": adalovelace', JSON), ParseConfig()).failures
    assert SECRET.decode() in failure.message


def test_the_text_of_an_error_that_nobody_expects_is_left_out() -> None:
    class Odd(bytes):
        """Bytes that cannot be read, of which the error tells everything."""

        def startswith(self, *_: object) -> bool:
            raise ZeroDivisionError(SECRET.decode())

    (failure,) = parse(batch_of(Odd(b"[]"), JSON), ParseConfig(quotes=False)).failures
    assert (failure.category, failure.exception) == ("exception", "ZeroDivisionError")
    assert SECRET.decode() not in failure.message + failure.stack.replace("raise ZeroDiv", "")
    assert "ZeroDivisionError" in failure.message
    assert "json.py" in failure.stack


class TestReading:
    def test_the_character_at_which_framing_stops_is_left_out(self) -> None:
        quiet = without_quotes(READ)
        assert quiet.message == "at byte 7: a character follows a string"
        assert quiet.raw == READ.raw

    def test_values_that_cannot_be_read_are_named_by_column_and_type(self) -> None:
        lost = Unreadable("string", "not UTF-8 at byte 0 of 3: 61 64 61", {"hex": "616461"})
        raw = RowEncoder({}).encode_unreadable({"id": 1}, {"email": lost})
        failure = replace(READ, raw=raw, format=Format("parquet"), message=lost.problem)
        assert without_quotes(failure).message == (
            "column 'email' (string): a value that cannot be read"
        )

    def test_stacks_keep_their_places(self) -> None:
        stack = 'Traceback:\n  File "a.py", line 1, in f\n    code()\nValueError: adalovelace\n'
        assert without_quotes(replace(READ, stack=stack)).stack == '  File "a.py", line 1, in f'

    def test_failures_of_other_stages_stay_as_they_are(self) -> None:
        other = replace(READ, stage="Call")
        assert without_quotes(other) is other

    def test_they_are_changed_on_their_way_through_parse(self) -> None:
        batch = replace(batch_of(b"{}", JSON), failures=(READ,))
        assert parse(batch, ParseConfig()).failures == (READ,)
        (quiet,) = parse(batch, ParseConfig(quotes=False)).failures
        assert "'a'" not in quiet.message
