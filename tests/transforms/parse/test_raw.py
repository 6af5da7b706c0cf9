"""Checks of raw bytes, whatever the format."""

from __future__ import annotations

import pytest

from transforms.errors import Reject
from transforms.parse.raw import check_size, text_of


def test_a_record_may_have_the_largest_size_and_not_one_byte_more() -> None:
    check_size(b"1234", 4)
    with pytest.raises(Reject, match="5 bytes, limit 4") as rejected:
        check_size(b"12345", 4)
    assert rejected.value.category == "too_large"


@pytest.mark.parametrize(
    ("raw", "encoding", "category", "message"),
    [
        (b"ab\xff", "", "invalid_utf8", "not UTF-8 at byte 2"),
        (b"\x81", "cp1252", "invalid_text", "not cp1252 at byte 0"),
    ],
)
def test_the_first_byte_that_is_no_text_is_named(
    raw: bytes, encoding: str, category: str, message: str
) -> None:
    with pytest.raises(Reject, match=message) as rejected:
        text_of(raw, encoding)
    assert rejected.value.category == category


def test_text_is_utf8_unless_the_format_says_otherwise() -> None:
    assert text_of("é".encode()) == "é"
    assert text_of(b"\xe9", "latin-1") == "é"
