"""The forms in which values are written as JSON, and the one in which they are read.

Each encoder and decoder is made once: they are C functions, called for every record.
"""

from __future__ import annotations

import msgspec

from transforms.parse.numbers import exact

encode_json = msgspec.json.Encoder(decimal_format="number").encode
"""The bytes of a value as JSON, a ``Decimal`` as a number.

Raises:
    TypeError: It holds something that JSON has no form for.
    UnicodeEncodeError: It holds text that UTF-8 cannot carry (a lone surrogate).
"""

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
