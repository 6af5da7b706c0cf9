"""What is shown of a failed record: never a hidden value, whatever its format and its failure."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.batch.record import JSON, Failure, Format, Origin
from transforms.parse.hidden.preview import WITHHELD, Preview, preview
from transforms.parse.typed_rows import RowEncoder, Unreadable

MAIL = "ada.lovelace@example.org"
HIDDEN = (("email",), ("user", "card"))
CSV = Format("csv", ("id", "email", "name"))
FAILURE = Failure(
    origin=Origin("file:///a", "p", 0),
    raw=b"",
    format=JSON,
    stage="write",
    category="data",
    exception="Reject",
    message="no",
    stack="",
)


def seen(raw: bytes, format_: Format = JSON, hidden: Any = HIDDEN, **changes: Any) -> Preview:
    return preview(replace(FAILURE, raw=raw, format=format_, **changes), "v1", (), hidden)


def shown(raw: bytes, format_: Format = JSON) -> bytes:
    return seen(raw, format_).failure.raw


class TestJson:
    def test_hidden_fields_are_masked(self) -> None:
        raw = b'\xef\xbb\xbf{"id":1, "email":"%b"}' % MAIL.encode()
        assert seen(raw).state == "masked"
        assert shown(raw) == b'{"id": 1, "email": "***"}'

    def test_a_hidden_value_that_another_field_repeats_is_masked_there_too(self) -> None:
        for format_, raw, text in (
            (JSON, '{"email": "%s", "by": "user %s", "n": 5}', '{"email": "***", "by": "user ***"'),
            (CSV, "1,%s,by %s", "1,***,by ***"),
        ):
            assert text in shown((raw % (MAIL, MAIL)).encode(), format_).decode()
        numbers = b'{"email": 12345, "id": 12345, "n": 1, "user": {"card": 1}}'
        masked = b'{"email": "***", "id": "***", "n": 1, "user": {"card": "***"}}'
        assert shown(numbers) == masked

    def test_a_record_in_another_encoding_is_read_in_it(self) -> None:
        raw = f'{{"email": "{MAIL}"}}'.encode("utf-16-le")
        assert shown(raw, Format("json", encoding="utf-16-le")) == b'{"email": "***"}'

    def test_a_record_without_hidden_fields_is_shown_byte_by_byte(self) -> None:
        raw = b'{ "id" :1,\r\n"name":"\\u0041"}'
        assert (seen(raw).state, shown(raw)) == ("whole", raw)

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"email": "%b"' % MAIL.encode(),
            b'{"email": "%b"} x' % MAIL.encode(),
            b"email=%b" % MAIL.encode(),
            b'{"email": "\xff%b"}' % MAIL.encode(),
            b"[" * 100_000 + MAIL.encode(),
            b"[" * 3_000 + b'"%b"' % MAIL.encode() + b"]" * 3_000,
        ],
        ids=["truncated", "trailing", "not JSON", "not UTF-8", "open", "deep"],
    )
    def test_what_cannot_be_read_is_described_and_not_shown(self, raw: bytes) -> None:
        one = seen(raw)
        assert one.failure.raw == b"" or MAIL.encode() not in one.failure.raw
        assert MAIL not in one.described
        if one.state == "withheld":
            assert f"{len(raw):,} bytes" in one.described
            assert sha256(raw).hexdigest() in one.described

    def test_nothing_of_a_record_is_shown_if_all_of_it_is_hidden(self) -> None:
        one = seen(b'{"a": 1}', hidden=((),), key=b"k", headers=(("h", b"v"),))
        assert (one.state, one.failure.raw, one.failure.key) == ("withheld", b"", b"***")
        assert seen(b"", hidden=((),)).state == "whole"

    def test_where_nothing_is_hidden_everything_is_shown_as_it_is(self) -> None:
        raw = b'{"email": "x'
        one = seen(raw, hidden=(), message=f"at {raw.decode()}", key=b"k", headers=(("h", b"v"),))
        assert (one.state, one.failure.raw, one.failure.key) == ("whole", raw, b"k")
        assert (one.failure.message, one.failure.headers) == ('at {"email": "x', (("h", b"v"),))


SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(DOCUMENTS, st.sampled_from(["email", "user"]), st.data())
@settings(max_examples=200, deadline=None)
def test_wherever_a_hidden_field_is_and_whatever_is_around_it_its_value_is_not_shown(
    beside: Any, name: str, data: st.DataObject
) -> None:
    value: Any = data.draw(st.sampled_from([MAIL, [MAIL], {"x": [MAIL]}]))
    if name == "user":
        value = data.draw(st.sampled_from([{"card": value}, [{"card": value}], MAIL, [MAIL]]))
    document: Any = {"a": beside, name: value, "b": beside}
    for _ in range(data.draw(st.integers(0, 3))):
        document = data.draw(st.sampled_from([[document], {"inside": document}]))
    raw = json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace")
    cut = data.draw(st.integers(0, len(raw)) | st.just(len(raw)))
    one = seen(raw[:cut], message=f"at {raw[:cut].decode('utf-8', 'replace')}")
    assert MAIL.encode() not in one.failure.raw
    assert MAIL not in one.failure.message
    assert one.state == ("withheld" if 0 < cut < len(raw) else one.state)


class TestCsv:
    def test_cells_are_found_by_the_header(self) -> None:
        assert shown(b'1,%b,"a, b"' % MAIL.encode(), CSV) == b'1,***,"a, b"'

    @pytest.mark.parametrize("name", ["EMAIL", " email", "user", "user.card"])
    def test_names_and_paths_that_lead_into_a_cell_count(self, name: str) -> None:
        assert shown(b"1;%b" % MAIL.encode(), Format("csv", ("id", name), ";")) == b"1;***"

    @pytest.mark.parametrize(
        "raw", [b"1,2,%b,x", b"%b", b'1,"%b', b"1,\xff%b,x", b'1,"%b"x,y'], ids=range(5)
    )
    def test_a_row_that_cannot_be_told_apart_is_not_shown(self, raw: bytes) -> None:
        one = seen(raw.replace(b"%b", MAIL.encode()), CSV)
        assert (one.state, one.failure.raw) == ("withheld", b"")

    def test_no_row_is_shown_if_the_columns_are_not_known(self) -> None:
        assert seen(b"1,x", Format("csv")).state == "withheld"

    def test_of_two_columns_with_one_name_both_are_masked(self) -> None:
        assert shown(b"a,b", Format("csv", ("email", "email"))) == b"***,***"


class TestTypedRows:
    @pytest.mark.parametrize("name", ["parquet", "avro"])
    def test_columns_and_the_fields_of_structs_are_masked(self, name: str) -> None:
        kinds = {"at": "date", "user": ["struct", {"born": "date"}]}
        row = {"at": date(2026, 1, 2), "email": MAIL, "user": {"card": "4111", "born": None}}
        (raw,) = RowEncoder(kinds).encode_all([row])
        text = shown(raw, Format(name)).decode()
        assert '"email": "***"' in text
        assert '"card": "***"' in text
        assert '"at": "2026-01-02"' in text

    @pytest.mark.parametrize(
        "kind", [["map", None, ["struct", {"n": "bytes"}]], ["list", ["map", "date", None]], "any"]
    )
    def test_a_map_that_a_path_leads_into_is_masked_whole(self, kind: Any) -> None:
        (raw,) = RowEncoder({"user": kind}).encode_all([{"user": [["visa", {"n": "4111"}]]}])
        assert "4111" not in shown(raw, Format("avro")).decode()

    def test_a_value_that_cannot_be_read_is_masked_with_its_problem(self) -> None:
        lost = Unreadable("string", f"not UTF-8: {MAIL}", {"hex": MAIL.encode().hex()})
        raw = RowEncoder({}).encode_unreadable({"id": 1}, {"email": lost})
        text = shown(raw, Format("parquet")).decode()
        assert MAIL not in text
        assert MAIL.encode().hex() not in text
        assert '"id": 1' in text

    def test_a_row_of_an_earlier_version_is_plain_json(self) -> None:
        assert shown(b'{"email": "x@y.z"}', Format("parquet")) == b'{"email": "***"}'

    @pytest.mark.parametrize("raw", [b'[{"email": "x', b"[[], {}]", b"[1]", b"[{}, []]"])
    def test_a_row_of_which_only_the_head_is_kept_is_not_shown(self, raw: bytes) -> None:
        assert seen(raw, Format("parquet")).state == "withheld"


def test_a_text_is_masked_if_it_is_hidden() -> None:
    assert seen(b"hello", Format("text"), (("payload",),)).failure.raw == b"***"
    assert seen(b"hello", Format("text")).failure.raw == b"hello"


class TestMessages:
    def test_a_key_and_a_header_are_masked_if_they_are_named(self) -> None:
        headers = (("to", b"x"), ("id", b"7"), ("none", None))
        one = seen(b"{}", hidden=(("@key",), ("@header.To",)), key=b"k", headers=headers)
        assert one.failure.key == b"***"
        assert one.failure.headers == (("to", b"***"), ("id", b"7"), ("none", None))

    def test_a_key_that_repeats_a_hidden_value_is_masked(self) -> None:
        raw = b'{"email": "%b"}' % MAIL.encode()
        one = seen(raw, key=b"user:%b" % MAIL.encode(), headers=(("from", MAIL.encode()),))
        assert one.failure.key == b"user:***"
        assert one.failure.headers == (("from", b"***"),)

    def test_a_record_that_is_not_shown_has_neither_key_nor_headers(self) -> None:
        one = seen(b"{", key=MAIL.encode(), headers=(("from", MAIL.encode()),))
        assert (one.failure.key, one.failure.headers) == (b"***", (("from", b"***"),))
        assert seen(b"", key=b"k").failure.key == b"***", "a message without a value"
        assert seen(b"{", key=None).failure.key is None

    def test_a_key_that_is_json_is_masked_like_a_record(self) -> None:
        key = b'{"email": "e@x.y", "pin": "1234", "id": 1}'
        one = seen(b"{}", hidden=(("email",), ("@key", "pin")), key=key)
        assert one.failure.key == b'{"email": "***", "pin": "***", "id": 1}'
        assert seen(b"{}", hidden=(("@key", "pin"),), key=b"1234").failure.key == b"***"


class TestTexts:
    def test_a_value_that_a_message_or_a_stack_quotes_is_masked(self) -> None:
        raw = b'{"email": "%b"}' % MAIL.encode()
        errors = ({"attempt": 1, "error": f"no mail to {MAIL}"},)
        failure = replace(FAILURE, raw=raw, message=f"Key (email)=({MAIL})", stack=f"E: {MAIL!r}")
        one = preview(failure, "v1", errors, HIDDEN)
        assert (one.failure.message, one.failure.stack) == ("Key (email)=(***)", "E: '***'")
        assert one.errors == ({"attempt": 1, "error": "no mail to ***"},)

    def test_of_a_record_that_cannot_be_read_a_version_that_hid_nothing_says_nothing(self) -> None:
        errors = ({"error": MAIL, "version": "v1"}, {"error": "at byte 7", "version": "v2"})
        failure = replace(FAILURE, raw=b'{"email":', message=f"at {MAIL}", stack=f"x {MAIL}")
        one = preview(failure, "v1", errors, HIDDEN, silent=("v2",))
        assert one.failure.message == f"({WITHHELD})"
        assert one.failure.stack == f"({WITHHELD})"
        assert [error["error"] for error in one.errors] == [f"({WITHHELD})", "at byte 7"]
