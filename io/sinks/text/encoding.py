"""Texts of our own tables, in any database, also in PostgreSQL with an incomplete encoding.

A record that such a database cannot store is a dead letter, and the dead letter must be stored
nevertheless. Its message, stack and headers, and the names of sources and partitions, may contain
the very characters that the encoding lacks. They are written ``\\u{65e5}`` and read back as they
were. Text that the database can store stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from psycopg2.extensions import encodings

Holds = Callable[[str], bool]
"""Whether an encoding has all characters of a text."""

_EVERY = frozenset({"UTF8", "SQL_ASCII"})  # the latter stores any bytes
# Python's codecs of these have the same characters as the server's conversions from UTF-8. Those
# of the other encodings have some characters that the server refuses.
_SAME = re.compile(r"(LATIN|ISO_8859_|WIN|KOI8)\w+|EUC_CN")
_UNLIKE = {"EUC_JP": ("euc_jp", "\xa2\xa3\xa5\xac\u2016\u203e\u2212\u301c")}

_MARK = "\\u{"
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")

_lacking: WeakKeyDictionary[sa.Dialect, Holds] = WeakKeyDictionary()


def learn(dialect: sa.Dialect, server_encoding: str) -> None:
    """Remember which encoding the database of ``dialect`` has, by PostgreSQL's name for it."""
    if server_encoding not in _EVERY and dialect not in _lacking:
        _lacking[dialect] = _holds(server_encoding)


def holds_all(dialect: sa.Dialect) -> bool:
    """Whether the database of ``dialect`` can store every text."""
    return dialect not in _lacking


def escaped(dialect: sa.Dialect, text: str) -> str:
    """``text`` as the database of ``dialect`` can store it."""
    holds = _lacking.get(dialect)
    return text if holds is None else _escape(text, holds)


def all_escaped(dialect: sa.Dialect, texts: Sequence[str]) -> Sequence[str]:
    """``texts`` as the database of ``dialect`` can store them."""
    return texts if holds_all(dialect) else [escaped(dialect, text) for text in texts]


def unescaped(dialect: sa.Dialect, text: str) -> str:
    """The original of a text that ``escaped`` returned."""
    if dialect not in _lacking or _MARK not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def clean(text: str, limit: int) -> str:
    """``text`` cut to ``limit`` characters, with NUL and lone surrogates replaced."""
    cut = text[:limit].replace("\x00", "\ufffd")
    return cut.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def cleaned(texts: Sequence[str], limit: int) -> Sequence[str]:
    """Each of ``texts`` as ``clean`` returns it; most need nothing, which is seen of all at once."""
    joined = "".join(texts)
    if "\x00" not in joined and max(map(len, texts), default=0) <= limit and _is_whole(joined):
        return texts
    return [clean(text, limit) for text in texts]


def _is_whole(text: str) -> bool:
    """Whether no half of a surrogate pair stands in ``text``."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def ascii_json(text: str) -> str:
    r"""JSON with all characters beyond ASCII escaped.

    >>> ascii_json('{"a": "\u65e5 \U0001f600"}')
    '{"a": "\\u65e5 \\ud83d\\ude00"}'
    """
    return text if text.isascii() else _BEYOND.sub(_json_escape, text)


_BEYOND = re.compile(r"[^\x00-\x7f]")


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _escape(text: str, holds: Holds) -> str:
    if holds(text) and _MARK not in text:
        return text
    plain = text.replace(_MARK, "\\u{5c}u{")
    return "".join(c if c.isascii() or holds(c) else f"\\u{{{ord(c):x}}}" for c in plain)


def _holds(server_encoding: str) -> Holds:
    if _SAME.fullmatch(server_encoding):
        codec, lacked = encodings[server_encoding], ""
    else:
        codec, lacked = _UNLIKE.get(server_encoding, ("ascii", ""))

    def holds(text: str) -> bool:
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            return False
        return not any(c in text for c in lacked)

    return holds
