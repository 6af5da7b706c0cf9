"""YAML written by hand, since no library writes comments: values, and lines with a comment behind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LONGEST_KEY = 1_000
"""How long a key may be as it is written: YAML takes up to 1,024 characters."""

_PLAIN = re.compile(
    r"(?:[A-Za-z_]|\.{0,2}/)[A-Za-z0-9_./-]*(?:[@:*?=+%~$][A-Za-z0-9_./*?=+%~$@-]+)*"
)
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that some reader of YAML takes for something other than text."""

_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def scalar(value: str | float | bool) -> str:
    """A value as it stands in YAML and, if it is a text, in a comment: in quotes if it needs them.

    >>> scalar("order_id"), scalar("yes"), scalar("a: b"), scalar(chr(27)), scalar(7)
    ('order_id', '"yes"', '"a: b"', '"\\\\x1b"', '7')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and value[-1] not in ".:":
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def flow(value: Any) -> str:
    """A value within one line: a mapping in braces, a list in brackets.

    >>> flow({"type": ["string", "null"], "format": "date"})
    '{type: [string, "null"], format: date}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(k))}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(flow, value)) + "]"
    text = scalar(value)
    # Within brackets, some signs that may stand in a plain text elsewhere end it.
    return (
        f'"{text}"'
        if isinstance(value, str) and re.search(r"[?*:]", text) and text[0] != '"'
        else text
    )


def line(key: str, value: Any, comment: str = "", *, indent: int = 0, proposed: bool = True) -> str:
    """``key: value  # comment``; a comment itself if it is not ``proposed``, but only possible."""
    content = f"{' ' * indent}{scalar(key)}: {flow(value) if _has_parts(value) else scalar(value)}"
    return remarked(content if proposed else f"# {content}", comment)


def remarked(content: str, comment: str) -> str:
    """A line with a comment behind it."""
    return f"{content}  # {comment}" if comment else content


def _has_parts(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)
