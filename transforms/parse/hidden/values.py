"""Mask hidden values in texts that quote them."""

from __future__ import annotations

import json
from collections.abc import Iterable

MASK = "***"
"""What stands for a hidden value."""

SHORTEST = 4
"""Shorter values would blank out innocent text."""

_CUT_AT = 20
"""A message may quote only the beginning of a value, but hardly less than this."""


def without_values(text: str, values: Iterable[str]) -> str:
    """``text`` with a mask for each of ``values``, as they are or as JSON and Python write them.

    A value that is quoted only in part is masked too, if that is its beginning.
    """
    for value in sorted(values, key=len, reverse=True):
        if len(value) < SHORTEST:
            continue
        for spelt in dict.fromkeys((value, json.dumps(value)[1:-1], repr(value)[1:-1])):
            text = _without(text, spelt)
    return text


def _without(text: str, value: str) -> str:
    beginning = value[:_CUT_AT]
    at = text.find(beginning)
    while at >= 0:
        end = at + len(beginning)
        while end < len(text) and end - at < len(value) and text[end] == value[end - at]:
            end += 1
        text = text[:at] + MASK + text[end:]
        at = text.find(beginning, at + len(MASK))
    return text
