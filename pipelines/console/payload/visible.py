"""Text with everything shown that a browser would hide or obey: control, bidi and invisible characters."""

from __future__ import annotations

import re
import unicodedata

_KEPT = "\n\t"
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories of Unicode that have no picture, or change the direction of others."""

_BLANK = "\u115f\u1160\u3164\uffa0\u2800\u00ad\u034f\u17b4\u17b5"
"""Letters and marks that look like nothing."""

_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")


def visible(text: str) -> str:
    """``text`` with ``\\x1b``, ``\\u202e`` and the like in place of what cannot be seen.

    Line feeds and tabs stay.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in _KEPT or " " <= character <= "~":
        return character
    code = ord(character)
    odd_space = unicodedata.category(character) == "Zs"
    varies = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    hidden = unicodedata.category(character) in _HIDDEN or character in _BLANK
    if not (hidden or odd_space or varies):
        return character
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
