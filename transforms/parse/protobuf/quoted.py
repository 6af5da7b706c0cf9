"""Strings of a ``.proto`` file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from transforms.parse.registry.schema import Unusable

_ESCAPE = re.compile(
    rb"\\(?:[xX](?P<hex>[0-9a-fA-F]{1,2})|(?P<octal>[0-7]{1,3})"
    rb"|(?:u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))|(?P<one>.)|$)",
    re.DOTALL,
)
_ONE = dict(zip(b"abfnrtv\\'\"?", b"\a\b\f\n\r\t\v\\'\"?", strict=True))


def unquoted(parts: Sequence[str]) -> str:
    r"""The text that strings in quotes make together.

    Args:
        parts: The strings with their quotes.

    Raises:
        Unusable: They have an escape that does not exist, or are no UTF-8.

    >>> unquoted(['"a\\x2f"', "'\\142'"])
    'a/b'
    """
    try:
        return b"".join(_ESCAPE.sub(_bytes, part[1:-1].encode()) for part in parts).decode()
    except (ValueError, LookupError, OverflowError):
        raise Unusable(f"its text has {parts[0][:40]!r}, which is no string") from None


def _bytes(match: re.Match[bytes]) -> bytes:
    """What an escape stands for."""
    code = match["short"] or match["long"]
    if code:
        return chr(int(code, 16)).encode()
    if match["hex"]:
        return bytes([int(match["hex"], 16)])
    if match["octal"]:
        return bytes([int(match["octal"], 8)])
    return bytes([_ONE[match["one"][0]]])
