"""The forms in which values are written as JSON, and the one in which they are read.

Each encoder and decoder is made once: they are C functions, called for every record.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from transforms.parse.numbers import INT_DIGITS, exact

STRING = rb'"(?:[^"\\]++|\\.)*+"?'
"""The pattern of a string in JSON, perhaps without its end; linear in time."""

encode_json = msgspec.json.Encoder(decimal_format="number").encode
"""The bytes of a value as JSON, a ``Decimal`` as a number.

Raises:
    TypeError: It holds something that JSON has no form for.
    UnicodeEncodeError: It holds text that UTF-8 cannot carry (a lone surrogate).
"""

encode_json_lines = msgspec.json.Encoder(decimal_format="number").encode_lines
"""Like ``encode_json`` for each of several values, with a newline behind each."""

encode_decimal_text = msgspec.json.Encoder().encode
"""Like ``encode_json``, but a ``Decimal`` as a string: no reader can round it."""

encode_anything = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
"""Like ``encode_json``, and what JSON has no form for as the string of its ``str``."""

decode_json = msgspec.json.Decoder(float_hook=exact).decode
"""The value of a JSON text; a number with a point or an exponent is an exact ``Decimal``.

Raises:
    msgspec.DecodeError: It is not JSON.
    ArithmeticError: A number is longer than ``transforms.parse.numbers.MAX_DIGITS``.
"""


def decode_long(text: bytes | str) -> Any:
    """Like ``decode_json``, and integers that are too long for an ``int`` are ``Decimal``.

    Raises:
        ValueError, ArithmeticError: As ``decode_json`` does.
    """
    try:
        return decode_json(text)
    except ValueError:
        raw = text.encode() if isinstance(text, str) else text
        marked = _LONG_INTEGER.sub(_as_decimal, raw) if len(raw) > INT_DIGITS else raw
        if marked == raw:
            raise
    return decode_json(marked)


_LONG_INTEGER = re.compile(
    # msgspec counts the sign as a digit.
    STRING
    + rb"|(?P<integer>(?<![0-9.eE+-])(?:-[0-9]|[0-9]{2})[0-9]{%d,}+(?![.eE]))" % (INT_DIGITS - 1),
    re.DOTALL,
)
"""A string, which is passed over, or an integer with more digits than an ``int`` may have."""


def _as_decimal(match: re.Match[bytes]) -> bytes:
    return match[0] + b"e0" if match["integer"] else match[0]
