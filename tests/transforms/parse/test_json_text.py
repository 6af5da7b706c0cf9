"""Each encoder has its own way with what JSON has no form for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import PurePosixPath

import pytest

from transforms.parse.json_text import (
    decode_json,
    encode_anything,
    encode_decimal_text,
    encode_json,
)

LONG = Decimal("0.12345678901234567890123456789")


def test_a_decimal_is_a_number_or_a_text_with_all_its_digits() -> None:
    assert encode_json([LONG]) == b"[0.12345678901234567890123456789]"
    assert encode_anything([LONG]) == b"[0.12345678901234567890123456789]"
    assert encode_decimal_text([LONG]) == b'["0.12345678901234567890123456789"]'


def test_only_one_encoder_takes_what_json_has_no_form_for() -> None:
    path = PurePosixPath("/a")
    assert encode_anything([path]) == b'["/a"]'
    for encode in (encode_json, encode_decimal_text):
        with pytest.raises(TypeError):
            encode([path])


def test_numbers_are_read_exactly() -> None:
    assert decode_json(encode_json([LONG])) == [LONG]
    with pytest.raises(ArithmeticError):
        decode_json(b"1e999999999")
