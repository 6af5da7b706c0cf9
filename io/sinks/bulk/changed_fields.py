"""Which fields of a record an edit has changed: their names, never their values."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sinks.text.encoding import clean
from transforms.batch.record import Format
from transforms.parse.csv.columns import names_of
from transforms.parse.csv.rows import rows_of
from transforms.parse.hidden.masking import Pairs, parsed
from transforms.parse.typed_rows import TYPED

MOST_NAMES = 50
"""How many names are kept of the fields that were changed."""

LONGEST_NAME = 100
"""At how many characters a name is cut."""

BYTES = "bytes"
"""What stands for a change that is not one of fields."""

_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError, csv.Error)


def changed(before: bytes, after: bytes, format_: Format) -> list[str]:
    """The names of the outermost fields that were changed, added or removed.

    ``bytes`` stands for a change of something else: the order of fields, or a record whose fields
    cannot be told apart.
    """
    try:
        old, new = _fields(before, format_), _fields(after, format_)
    except _UNREADABLE:
        return [BYTES]
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not names:
        return [BYTES]
    kept = [clean(name, LONGEST_NAME) for name in names[:MOST_NAMES]]
    more = len(names) - len(kept)
    return [*kept, *([f"and {more:,} more"] if more else [])]


def _fields(raw: bytes, format_: Format) -> dict[str, list[Any]]:
    """The values of each field; a name may occur twice.

    Raises:
        ValueError: Or another of ``_UNREADABLE``: the record has no fields that can be told apart.
    """
    values: dict[str, list[Any]] = defaultdict(list)
    for name, value in _pairs(raw, format_):
        values[name].append(value)
    return dict(values)


def _pairs(raw: bytes, format_: Format) -> Sequence[tuple[str, Any]]:
    if format_.name == "csv":
        (cells,) = rows_of([raw.decode(format_.encoding or "utf-8")], len(raw) + 1, format_)
        return list(zip(names_of(format_.columns), cells, strict=True))
    if format_.name == "text":
        raise ValueError("a text has no fields")
    value = parsed(raw.decode(format_.encoding or "utf-8-sig"))
    if format_.name in TYPED and isinstance(value, list):
        value = value[0]
    if not isinstance(value, Pairs):
        raise TypeError("it is not an object")
    return value.items
