"""The group of a dead letter: a fingerprint of what it has in common with others of one reason.

A message is stripped of what differs from record to record, as ``transforms.failure_fingerprint``
does it, and of what may be left of a value: a fingerprint is kept when its records are deleted.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

from transforms import failure_fingerprint
from transforms.failure_fingerprint import LENGTH

Kind = tuple[str, str, str, str | None, str, str]
"""The arguments of ``fingerprint_of``."""

LONGEST = 200
"""How many characters of a normalised message are kept."""

_DEPTH = 6
"""How deep objects and arrays of JSON are looked into; what is deeper than that stays around them."""

_LOOKED_AT = 2_000
"""How many characters of a message may be the values of a key, which are taken out first."""
_AFTER_A_KEY = (") already exists", ") is not present", ") is still referenced", ") conflicts")
"""PostgreSQL: what follows a key, whose values may have parentheses and quotes of their own."""
_ROW = re.compile(r"\b(row contains) \(.*", re.IGNORECASE)
"""PostgreSQL: all values of a row."""
_WITH_THE_ROW = ("23502", "23514", "44000")
"""Codes of PostgreSQL's errors whose detail is the row, whatever the language."""

_WHOLE = re.compile(r"(?<![\w.:+-])[0-9]+(?![\w.:+-])")
"""A number that stands alone."""

_QUOTE = re.compile(r"(?<!\w)([\"'`])(?:.*?\1(?!\w))?")
"""A quote, with the one that ends it if there is one."""

# An emptied object is \x00 and an emptied array \x01 until all are.
_OBJECT = re.compile(r"\{[^{}\[\]]*\}")
_ARRAY = re.compile(r"\[(?:N|true|false|null|<\w+>|\"…\"|'…'|[\s,:…\x00\x01])*\]", re.IGNORECASE)
_OPEN = re.compile(r"(?:\{|\[(?=[\s\"'{\[N…\x00\x01])).*$")
"""An object or array without its end: a message is cut somewhere."""


def normalised(message: str) -> str:
    """A message without its values, at most ``LONGEST`` characters.

    >>> normalised('/tags: ["a", {"b": 1}] is not valid under any of the given schemas')
    '/tags: […] is not valid under any of the given schemas'
    """
    return _normalised(_without_key(message))


def _without_key(message: str) -> str:
    """The beginning of a message, without the values of its key: what costs little for each record.

    Messages that differ in a number alone are equal from here on.
    """
    words = message[:_LOOKED_AT].split()
    if "=(" not in message:
        return " ".join(map(_WORDS.__getitem__, words))
    text = " ".join(words)
    begin = text.find("=(")
    end = max(map(text.rfind, _AFTER_A_KEY)) if begin >= 0 else -1
    return _WHOLE.sub("0", f"{text[:begin]}=(…{text[end:]}" if end > begin else text)


class _Words(dict[str, str]):
    """Words with 0 for each number that stands alone in them; the first of them are remembered."""

    def __missing__(self, word: str) -> str:
        without = _WHOLE.sub("0", word)
        if len(self) < _REMEMBERED and len(word) <= _SHORT:
            self[word] = without
        return without


_REMEMBERED, _SHORT = 20_000, 40
_WORDS = _Words()


def _normalised(text: str) -> str:
    if len(text) > LENGTH:  # no part of a word, whatever it is
        text = text[:LENGTH].rpartition(" ")[0] or text[:LENGTH]
    text = _closed(_ROW.sub(r"\1 (…)", text))
    text = _emptied(failure_fingerprint.normalised(text))
    return text if len(text) <= LONGEST else _closed(text[: LONGEST - 2] + "…")


def fingerprint_of(
    target: str,
    stage: str,
    category: str,
    sqlstate: str | None,
    exception: str,
    message: str,
) -> tuple[uuid.UUID, str]:
    """The fingerprint of a failure, and its message without values.

    Args:
        target: The table that the record was meant for, as ``label_of`` names it.
        stage: As the job has it, and so on.
        category: The kind of failure.
        sqlstate: The database's code, if there is one.
        exception: The name of the exception's class.
        message: The message.
    """
    if sqlstate in _WITH_THE_ROW:
        message = message.partition(": ")[0]
    return _fingerprint(target, stage, category, sqlstate, exception, _without_key(message))


def fingerprints_of(kinds: Iterable[Kind]) -> dict[Kind, tuple[uuid.UUID, str]]:
    """What ``fingerprint_of`` returns for each of ``kinds``."""
    return {kind: fingerprint_of(*kind) for kind in dict.fromkeys(kinds)}


@lru_cache(maxsize=2_048)
def _fingerprint(
    target: str, stage: str, category: str, sqlstate: str | None, exception: str, message: str
) -> tuple[uuid.UUID, str]:
    text = _normalised(message)
    fields = json.dumps([target, stage, category, sqlstate, exception, text])
    return uuid.UUID(bytes=blake2b(fields.encode(), digest_size=16).digest()), text


def _closed(text: str) -> str:
    """``text`` with an end for a quote that has none: what follows it is a part of a value."""
    for match in _QUOTE.finditer(text):
        if len(match[0]) == 1:
            return f"{text[: match.start()]}{match[1]}…{match[1]}"
    return text


def _emptied(text: str) -> str:
    """``text`` with the objects and arrays in it emptied."""
    if "{" not in text and "[" not in text:
        return text
    text = text.replace("{…}", "\x00").replace("[…]", "\x01")
    for _ in range(_DEPTH):
        shorter = _ARRAY.sub("\x01", _OBJECT.sub("\x00", text))
        if shorter == text:
            break
        text = shorter
    return _OPEN.sub("…", text).replace("\x00", "{…}").replace("\x01", "[…]")
