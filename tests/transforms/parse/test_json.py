from __future__ import annotations

import json
import random
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import batch_of
from transforms.errors import Reject
from transforms.parse.json import depth, object_or_refused, parse_object, parse_objects
from transforms.refused import Refused
from transforms.steps.apply import apply_to_values

LIMITS: dict[str, Any] = {"max_bytes": 1_000, "max_depth": 10}


def rejection(raw: bytes) -> Reject:
    with pytest.raises(Reject) as caught:
        parse_object(raw, **LIMITS)
    assert parse_objects([b"{}", raw], **LIMITS) is None, "the fast way let it pass"
    return caught.value


class TestParse:
    @pytest.mark.parametrize(
        ("raw", "category"),
        [
            (b"", "malformed"),
            (b"  ", "malformed"),
            (b'{"a":1', "malformed"),
            (b'{"a":1}}', "malformed"),
            (b'{"a":1} {"a":2}', "malformed"),
            (b'{"a":NaN}', "malformed"),
            (b'{"a":-Infinity}', "malformed"),
            (b'{"a":01}', "malformed"),
            (b"{'a':1}", "malformed"),
            (b'{"a":"\x00"}', "malformed"),
            (b'{"a":"\\ud800"}', "malformed"),
            (b'{"a":"\\udc00\\ud800"}', "malformed"),
            (b'{"\\ud800":1}', "malformed"),
            (b'{"a":' + b"9" * 900 + b"e", "malformed"),
            (b'{"a":"\xff"}', "invalid_utf8"),
            (b'{"\xff":1}', "invalid_utf8"),
            (b'{"a":\xff}', "invalid_utf8"),
            (b'{"a":"\xed\xa0\x80"}', "invalid_utf8"),
            (b'{"a":"\xc0\x80"}', "invalid_utf8"),
            (b"[]", "not_object"),
            (b"42", "not_object"),
            (b"4.2", "not_object"),
            (b'"a"', "not_object"),
            (b"true", "not_object"),
            (b"null", "not_object"),
            (b'{"a":"' + b"x" * 1_000 + b'"}', "too_large"),
            (b'{"a":' + b"[" * 10 + b"]" * 10 + b"}", "too_deep"),
            (b'{"a":' * 11 + b"1" + b"}" * 11, "too_deep"),
        ],
    )
    def test_what_cannot_be_read_is_rejected_by_category(self, raw: bytes, category: str) -> None:
        assert rejection(raw).category == category

    def test_of_an_array_it_is_said_how_to_read_it(self) -> None:
        assert str(rejection(b"[{}]")).endswith("an array; --json_layout array reads its elements")

    @pytest.mark.parametrize(
        "number",
        [
            b"1E+999999999",
            b"1e10001",
            b"-1E-10001",
            b"1E-999999999999999999999",
            b"0E-999999999",
            b"0e99999",
        ],
    )
    def test_a_number_that_explodes_when_written_out_is_malformed(self, number: bytes) -> None:
        error = rejection(b'{"a":' + number + b"}")
        assert error.category == "malformed"
        assert "10,000 digits" in str(error)

    @pytest.mark.parametrize("text", ["%s", "-%s", '["1", %s]', '{"%s": %s}', "[0.5, %s ]"])
    @pytest.mark.parametrize("digits", [4_299, 4_300, 4_301, 10_000])
    def test_an_integer_of_up_to_10_000_digits_keeps_them_all(self, text: str, digits: int) -> None:
        number = "9" * digits
        raw = ('{"a":' + text.replace("%s", number) + "}").encode()
        value = parse_object(raw, len(raw), 10)["a"]
        while isinstance(value, list | dict):
            value = value[-1] if isinstance(value, list) else value[number]
        assert str(value).lstrip("-") == number
        assert value == value.to_integral_value() if isinstance(value, Decimal) else True

    @pytest.mark.parametrize("number", ["9" * 10_001, "-" + "9" * 500_000, "0." + "9" * 10_001])
    def test_one_message_says_that_a_number_is_too_long(self, number: str) -> None:
        raw = f'{{"a":{number}}}'.encode()
        with pytest.raises(
            Reject, match=r"number at byte 5 has more than 10,000|integer at byte 5 .*limit 10,000"
        ) as rejected:
            parse_object(raw, len(raw), 10)
        assert rejected.value.category == "malformed"

    def test_a_fraction_of_too_many_digits_is_malformed_never_rounded(self) -> None:
        with pytest.raises(Reject, match="10,000 digits"):
            parse_object(b'{"a":0.%s}' % (b"1" * 10_001), max_bytes=1 << 20, max_depth=10)

    def test_the_message_says_size_and_limit(self) -> None:
        error = rejection(b'{"a":"' + b"x" * 1_500 + b'"}')
        assert str(error) == "the record has 1,508 bytes, limit 1,000"

    def test_the_message_says_depth_and_limit(self) -> None:
        error = rejection(b'{"a":' + b"[" * 200 + b"]" * 200 + b"}")
        assert str(error) == "JSON is nested 201 levels deep, limit 10"

    def test_the_message_says_where_the_text_is_not_utf8(self) -> None:
        assert "byte 6" in str(rejection(b'{"a":"\xff"}'))

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"a":' + b"[" * 9 + b"]" * 9 + b"}",  # exactly at the limit
            b'{"a":[' + b",".join([b"[]"] * 50) + b"]}",  # wide, not deep
            b'{"a":"' + b"[{" * 50 + b'"}',  # brackets in a string
            b'{"a":"\\"' + b"[{" * 50 + b'"}',
            b'{"a":"\\\\","b":"' + b"[{" * 50 + b'"}',
        ],
    )
    def test_only_true_nesting_counts(self, raw: bytes) -> None:
        assert parse_object(raw, **LIMITS) == json.loads(raw)
        assert parse_objects([raw], **LIMITS) == [json.loads(raw)]

    def test_a_nesting_beyond_the_interpreters_limit_is_too_deep(self) -> None:
        raw = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        with pytest.raises(Reject) as caught:
            parse_object(raw, max_bytes=1 << 20, max_depth=1 << 20)
        assert caught.value.category == "too_deep"

    def test_numbers_are_exact_and_typed(self) -> None:
        raw = (
            b'{"int":7,"big":123456789012345678901234567890,"cent":0.10,"tiny":1e-30,'
            b'"long":0.1234567890123456789012345}'
        )
        value = parse_object(raw, **LIMITS)
        assert value == {
            "int": 7,
            "big": 123456789012345678901234567890,
            "cent": Decimal("0.10"),
            "tiny": Decimal("1e-30"),
            "long": Decimal("0.1234567890123456789012345"),
        }
        assert str(value["cent"]) == "0.10"
        assert type(value["int"]) is int

    def test_text_is_kept(self) -> None:
        raw = '{"a":"é😀\\u0000\\n","b":"\\ud83d\\ude00"}\r'.encode()
        assert parse_object(raw, **LIMITS) == {"a": "é😀\x00\n", "b": "😀"}

    def test_an_endless_string_costs_linear_time(self) -> None:
        raw = b'{"a":"' + b"\\[" * 500_000
        with pytest.raises(Reject):
            parse_object(raw, max_bytes=1 << 21, max_depth=10)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


def write(value: Any) -> str:
    """JSON text that writes a Decimal with all its digits, made without the decoder's library."""
    if isinstance(value, Decimal):
        text = str(value)
        return text if any(mark in text for mark in ".eE") else text + ".0"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{write(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(st.dictionaries(names, json_values, max_size=4))
def test_every_number_comes_back_exactly(value: dict[str, Any]) -> None:
    assert parse_object(write(value).encode(), max_bytes=1 << 20, max_depth=100) == value


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_no_bytes_raise_anything_but_a_rejection(raws: list[bytes]) -> None:
    values: list[Any] = []
    rejected = False
    for raw in raws:
        try:
            values.append(parse_object(raw, **LIMITS))
        except Reject:
            rejected = True
    assert parse_objects(raws, **LIMITS) == (None if rejected else values)


@given(json_values)
def test_depth_is_the_nesting_of_the_value(value: Any) -> None:
    def nesting(node: Any) -> int:
        if isinstance(node, dict):
            return 1 + max(map(nesting, node.values()), default=0)
        if isinstance(node, list):
            return 1 + max(map(nesting, node), default=0)
        return 0

    assert depth(write(value).encode()) == nesting(value)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[", "the text ends at byte 1, within an array that begins at byte 0"),
        (b'{"a":[{"b":1}', "the text ends at byte 13, within an array that begins at byte 5"),
        (b'{"a": "x\\"}', "the text ends at byte 11, within a string that begins at byte 6"),
        (b"tru", "the text ends at byte 3, within a word"),
        (b" ", "there is no JSON: the text is empty"),
        (
            rb'{"\\ud800":"\ud83d\ude00 \ud800"}',
            r"\ud800 (byte 25) is half of a character: its other half is missing",
        ),
        (rb'{"a":"\udc00x"}', r"\udc00 (byte 6) is half of a character: its other half is missing"),
        (
            rb'{"a":"\ud800\u0041"}',
            r"\ud800 (byte 6) is half of a character: its other half is missing",
        ),
        (b'\xef\xbb\xbf{"a":', "the text ends at byte 8, within an object that begins at byte 3"),
    ],
)
def test_text_that_is_cut_off_says_where_and_within_what(raw: bytes, message: str) -> None:
    with pytest.raises(Reject) as rejected:
        parse_object(raw, max_bytes=100, max_depth=10)
    assert str(rejected.value) == message
    assert rejected.value.category == "malformed"


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"a":NaN}', "(byte 5): NaN}"),
        (b'{"a":true,"b":Trueish}', "(byte 14): Trueish}"),
        (b'{"a":nul1}', "(byte 5): nul1}"),
        (b"{'a':1}", "(byte 1): 'a':1}"),
        (b'{"a":1}}', "(byte 7): }"),
        (b'{"a":1} {"a":2, "b":123456789}', '(byte 8): {"a":2, "b":12345678…'),
        (b'{"a":"\\x41"}', r'(byte 6): \x41"}'),
        (b'{"a":"\x00"}', r'(byte 6): \x00"}'),
        ('{"é":01}'.encode(), "(byte 7): 1}"),
        (b'\xef\xbb\xbf{"a":01}', "(byte 9): 1}"),
    ],
)
def test_the_place_where_a_text_stops_being_json_is_named_and_shown(raw: bytes, place: str) -> None:
    with pytest.raises(Reject) as rejected:
        parse_object(raw, max_bytes=100, max_depth=10)
    assert str(rejected.value).startswith("JSON is malformed: ")
    assert str(rejected.value).endswith(f" {place}")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            b'{"1":"2","n":%s}' % (b"7" * 15_000),
            "the integer at byte 13 has 15,000 digits, limit 10,000",
        ),
        (
            b'{"n":1e20000}',
            "the number at byte 5 has more than 10,000 digits, or an exponent beyond",
        ),
        (b'{"m":1.5,"n":-0.%s}' % (b"1" * 20_000), "the number at byte 13 has more than 10,000 "),
    ],
)
def test_a_number_that_is_too_long_is_named_by_its_place(raw: bytes, message: str) -> None:
    with pytest.raises(Reject) as rejected:
        parse_object(raw, max_bytes=100_000, max_depth=10)
    assert str(rejected.value).startswith(message)


def test_a_byte_order_mark_is_passed_over() -> None:
    raw = b'\xef\xbb\xbf{"a":1}'
    assert parse_object(raw, max_bytes=100, max_depth=10) == {"a": 1}


class TestOtherEncodings:
    @pytest.mark.parametrize(
        ("raw", "number"),
        [
            (bytes.fromhex("000000002a0206616263"), 42),
            (bytes.fromhex("000000002b") + b'{"id":21}', 43),
            (bytes.fromhex("0000000000"), 0),
            (bytes.fromhex("0012345678ff"), 0x12345678),
        ],
    )
    def test_the_wire_format_of_a_schema_registry_is_named(self, raw: bytes, number: int) -> None:
        error = rejection(raw)
        assert error.category == "malformed"
        assert error.message.startswith(f"Confluent wire format, schema id {number}: ")

    @pytest.mark.parametrize("raw", [b"\0", b"\0\0\0\1", '{"a":1}'.encode("utf-16-be")])
    def test_not_every_zero_byte_is_its_beginning(self, raw: bytes) -> None:
        assert "Confluent" not in rejection(raw).message

    @pytest.mark.parametrize(
        ("raw", "name"),
        [
            (b"\xff\xfe" + '{"a":1}'.encode("utf-16-le"), "UTF-16"),
            (b"\xfe\xff" + '{"a":1}'.encode("utf-16-be"), "UTF-16"),
            (b"\xff\xfe\0\0" + '{"a":1}'.encode("utf-32-le"), "UTF-32"),
            (b"\0\0\xfe\xff" + '{"a":1}'.encode("utf-32-be"), "UTF-32"),
        ],
    )
    def test_a_mark_of_another_encoding_is_named(self, raw: bytes, name: str) -> None:
        error = rejection(raw)
        assert error.category == "invalid_utf8"
        assert error.message == f"{name} text, as its byte order mark says; a record is UTF-8"


BROKEN = (
    b'{"a": [1, {"b": "x{y"}], "c": "\\u00e9\\ud83d\\ude00", "d": {"e": -1.5e3, "f": null}}',
    '[{"ä":"€💥", "n": [[1,2],{"z":{}}]}]'.encode(),
    b'"text"',
    b"",
    b'{"a":"\\ud83d"}',
    b'\xef\xbb\xbf{"a":1}',
    b"\0\0\0\0\1abc",
    b'{"password=word": "http://ann:word@host/"',
    b'{"a":1e99999}',
    b'{"a":%b}' % (b"9" * 5_000),
    b'{"a":' * 12,
)
SIGNS = b'{}[]",:\\u0d8/ 1e-.tfn=\xc3\xa9\xff\0'


def broken(chance: random.Random) -> bytes:
    """A text that was JSON, or nearly so, before bytes were cut off, changed and added."""
    text = bytearray(chance.choice(BROKEN))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(text) + 1)
        cut = chance.choice((0, 1, 2, len(text)))
        text[at : at + cut] = bytes(chance.choices(SIGNS, k=chance.randrange(4)))
    return bytes(text)


@pytest.mark.parametrize("quotes", [True, False])
def test_what_is_refused_without_an_exception_is_the_same_failure(quotes: bool) -> None:
    chance = random.Random(7)
    raws = [broken(chance) for _ in range(3_000)]
    batch = batch_of(*raws)
    bounds: dict[str, Any] = {"max_bytes": 4_800, "max_depth": 10, "quotes": quotes}
    fast, slow = (
        apply_to_values(batch, raws, partial(read, **bounds), "parse", quotes=quotes)
        for read in (object_or_refused, parse_object)
    )
    assert len(slow.failures) > 2_000
    assert fast.failures == slow.failures
    assert (fast.values, fast.raws) == (slow.values, slow.raws)


def test_most_of_what_is_cut_off_is_refused_without_an_exception() -> None:
    whole = BROKEN[0]
    for end in range(len(whole)):
        assert type(object_or_refused(whole[:end], **LIMITS)) is Refused
