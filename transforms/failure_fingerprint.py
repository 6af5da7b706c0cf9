"""Which failures are alike: a fingerprint of stage, category, code and message without its values.

A message quotes what it complains of. Without numbers, quoted values, times and addresses, the
messages of a thousand records that fail for one reason are the same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

LENGTH = 300
"""How many characters of a message are looked at, from its beginning."""

_NAMES = (
    "column|columns|relation|table|constraint|type|function|index|field|fields|property|schema|database"
    "|role|sequence|operator|trigger|view|step|option|parameter"
)
"""What is quoted after these words is a name, which says what is wrong, and no value."""

_UNIT = "(?:[mun]?s|m|min|h|d|[kmgt]?i?b)"
"""What may stand behind a number without a space: it stays."""

_QUOTED = re.compile(r"(?<!\w)([\"'`])(.*?)\1(?!\w)( is a required property)?")
_BEFORE_A_NAME = re.compile(rf"\b(?:{_NAMES})s?[ :]+$", re.IGNORECASE)
_LONGEST = 20
"""How many characters before a quote are looked at for such a word."""

_RULES = (
    ("://", re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s'\"`)]+", re.IGNORECASE), "<url>"),
    ("@", re.compile(r"[^\s@'\"<>()]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "<email>"),
    (
        "-",
        re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE),
        "<uuid>",
    ),
    (
        "-",
        re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"),
        "<time>",
    ),
    # PostgreSQL: Key (id)=(7) already exists
    ("=(", re.compile(r"=\((?:[^()]|\([^()]*\))*\)?"), "=(…)"),
    # A parser: what stands where the text stops being JSON
    ("(byte ", re.compile(r"\(byte \d+\):? .*"), "(byte N): …"),
)
"""Without the first text in it, a message need not be searched for the pattern."""

_LATER_RULES = (
    # With a digit and a letter: long decimal numbers are numbers, like short ones.
    (
        re.compile(
            r"\b(?:0x[0-9a-f]{8,}|(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,})\b", re.IGNORECASE
        ),
        "<hex>",
    ),
    (
        re.compile(
            rf"(?<![\w.])[-+]?\d+(?:[.,_]\d+)*(?:e[-+]?\d+)?(?={_UNIT}?(?!\w))", re.IGNORECASE
        ),
        "N",
    ),
)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What failures of one kind have in common.

    Attributes:
        stage: The step that failed.
        category: The kind of failure.
        sqlstate: The database's code; empty if it has none.
        message: The message without values.
    """

    stage: str
    category: str
    sqlstate: str
    message: str

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, the same wherever it is computed."""
        text = f"{self.stage}\x00{self.category}\x00{self.sqlstate}\x00{self.message}"
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def fingerprint(stage: str, category: str, sqlstate: str | None, message: str) -> Fingerprint:
    """The fingerprint of a failure.

    Args:
        stage: As in ``Failure``.
        category: As in ``Failure``.
        sqlstate: As in ``Failure``.
        message: As in ``Failure``, or at least its first ``LENGTH`` characters.
    """
    return Fingerprint(stage, category, sqlstate or "", normalised(message))


def normalised(message: str) -> str:
    """A message without its values; once more does not change it.

    >>> normalised('duplicate key value violates unique constraint "t_pkey": Key (id)=(7) exists')
    'duplicate key value violates unique constraint "t_pkey": Key (id)=(…) exists'
    >>> normalised("field 'amount': -12.50 is less than 0")
    "field 'amount': N is less than N"
    """
    text = _SPACE.sub(" ", message[:LENGTH]).strip()
    for mark, pattern, instead in _RULES:
        if mark in text:
            text = pattern.sub(instead, text)
    parts = []
    end = 0
    for match in _QUOTED.finditer(text):  # what is quoted as a name stays as it is
        begin = match.start()
        before = text[max(0, begin - _LONGEST) : begin]
        is_name = match[3] or _BEFORE_A_NAME.search(before)
        parts.append(_without_values(text[end:begin]))
        parts.append(match[0] if is_name else f"{match[1]}…{match[1]}")
        end = match.end()
    return "".join([*parts, _without_values(text[end:])])


def _without_values(text: str) -> str:
    for pattern, instead in _LATER_RULES:
        text = pattern.sub(instead, text)
    return text
