"""Text that people see as it is: what is invisible, or changes the order of letters, is spelled out."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that are drawn as nothing."""


def shown(value: object, *, lines: bool = False) -> str:
    r"""A text with its invisible characters spelled out.

    Args:
        value: What to show, by ``str``.
        lines: Whether newlines and tabs stay as they are.

    >>> shown("a\x1b[2J\u202eb\n"), shown("a\n", lines=True)
    ('a\\x1b[2J\\u202eb\\n', 'a\n')
    """
    text = str(value)
    plain = text.replace("\n", "").replace("\t", "") if lines else text
    if plain.isascii() and plain.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(letter if letter in kept else _spelled(letter) for letter in text)


@lru_cache(maxsize=4096)
def _spelled(letter: str) -> str:
    number = ord(letter)
    variant = 0xFE00 <= number <= 0xFE0F or 0xE0100 <= number <= 0xE01EF
    space = letter != " " and unicodedata.category(letter) == "Zs"
    if not (unicodedata.category(letter) in _HIDDEN or letter in _BLANK or variant or space):
        return letter
    named = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}.get(letter)
    if named:
        return named
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
