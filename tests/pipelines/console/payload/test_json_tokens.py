"""A record as JSON: exact, marked, and bounded whatever it holds."""

from __future__ import annotations

import json

import pytest

from pipelines.console.payload.json_tokens import LIMIT, TOKENS, as_json, text_of
from transforms.batch.record import JSON, Format

CSV = Format("csv", ("id", "name"), ";")


def shown(raw: bytes, format_: Format = JSON) -> str:
    return text_of(as_json(raw, format_).tokens)


class TestAsJson:
    def test_it_is_laid_out_with_numbers_as_they_are_written(self) -> None:
        text = shown(b'{"a":1.10e2,"b":[1,{"c":null}],"d":{},"e":[],"a":12345678901234567890.0}')
        assert text == (
            '{\n  "a": 1.10e2,\n  "b": [\n    1,\n    {\n      "c": null\n    }\n  ],\n'
            '  "d": {},\n  "e": [],\n  "a": 12345678901234567890.0\n}'
        )

    @pytest.mark.parametrize("value", [None, True, "x", [], {}, [[]], {"a": {"b": [1, 2, [3]]}}])
    def test_it_says_what_json_says(self, value: object) -> None:
        assert shown(json.dumps(value).encode()) == json.dumps(value, indent=2)

    def test_marked_fields_and_all_that_is_in_them(self) -> None:
        view = as_json(b'{"a":{"b":[1,{"c":2}]},"b":3}', JSON, [("a", "b", "1"), ("b",), ("x",)])
        marked = [text for token in view.tokens if token.marked and (text := token.text.strip())]
        assert marked == ["{", '"c"', ":", "2", "}", '"b"', ":", "3"]
        assert view.present == {("a", "b", "1"), ("b",)}

    def test_a_name_with_a_slash_is_one_name(self) -> None:
        view = as_json(b'{"a/b":1,"a":{"b":2}}', JSON, [("a/b",)])
        assert [token.text for token in view.tokens if token.kind == "number" and token.marked] == [
            "1"
        ]

    def test_a_row_of_csv_is_an_object(self) -> None:
        assert json.loads(shown(b'1;"a;b"', CSV)) == {"id": "1", "name": "a;b"}

    def test_a_row_with_other_cells_is_an_array(self) -> None:
        assert json.loads(shown(b"1;2;3", CSV)) == ["1", "2", "3"]

    @pytest.mark.parametrize(
        "raw", [b"{", b"\xff", b"", b'{"a":}', b"[" * 100_000, b'{"a":' * 100_000]
    )
    def test_what_cannot_be_read_says_so(self, raw: bytes) -> None:
        view = as_json(raw, JSON)
        assert view.tokens == ()
        assert view.reason

    def test_a_long_number_is_not_read_as_one(self) -> None:
        text = shown(b"[" + b"9" * 1_000_000 + b"]")
        assert len(text) < 2_000
        assert "(1,000,000 characters)" in text

    def test_a_hundred_megabytes_are_not_read(self) -> None:
        assert as_json(bytes(LIMIT + 1), JSON).reason == "longer than 1,048,576 bytes"

    def test_many_fields_are_cut(self) -> None:
        view = as_json(json.dumps(list(range(100_000))).encode(), JSON)
        assert len(view.tokens) == TOKENS + 1
        assert view.tokens[-1].text == "\n… and more"

    def test_hostile_text_is_spelt_and_can_be_sent(self) -> None:
        text = shown(rb'{"\u202e\ud800":"\u0000<script>\u200b"}')
        assert text == '{\n  "\\u202e\\ud800": "\\u0000<script>\\u200b"\n}'
        text.encode()
