"""Any bytes have a text and a dump, within bounds."""

from __future__ import annotations

import pytest

from pipelines.console.payload.bytes_text import as_hex, as_text


class TestAsText:
    def test_text_is_shown_in_its_encoding(self) -> None:
        view = as_text("größer".encode("latin-1"), "latin-1")
        assert (view.text, view.is_text, view.shown) == ("größer", True, 6)

    def test_bytes_that_are_no_text_are_spelt(self) -> None:
        view = as_text(b"a\xff\xc3\x00z")
        assert (view.text, view.is_text) == ("a\\xff\\xc3\\x00z", False)

    def test_an_unknown_encoding_is_taken_for_utf8(self) -> None:
        assert as_text("é".encode(), "no-such").text == "é"

    def test_a_long_record_is_cut_between_two_characters(self) -> None:
        view = as_text("éé".encode(), limit=3)
        assert (view.text, view.shown, view.size, view.is_text) == ("é", 3, 4, True)

    @pytest.mark.parametrize("raw", [b"", bytes(range(256)), b"\xed\xa0\x80", "\u202e".encode()])
    def test_whatever_it_is_it_can_be_sent(self, raw: bytes) -> None:
        as_text(raw).text.encode()


class TestAsHex:
    def test_sixteen_bytes_a_line(self) -> None:
        first, second = as_hex(b"0123456789abcdef\x00<\xff").lines
        assert first.numbers == "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66"
        assert (first.offset, first.characters) == ("00000000", "0123456789abcdef")
        assert (second.offset, second.numbers.strip()) == ("00000010", "00 3c ff")
        assert (second.characters, len(second.numbers)) == (".<.", len(first.numbers))

    def test_only_the_beginning_is_dumped(self) -> None:
        view = as_hex(bytes(100), limit=32)
        assert (len(view.lines), view.shown, view.size) == (2, 32, 100)
