"""The type of a new column, from all values that a commit has for it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from sinks.table.schema import LogicalType

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1  # of a bigint


def type_of(values: Iterable[object]) -> LogicalType:
    """The type that takes every one of ``values``, of which none is None.

    Text stays text, whatever it looks like.

    >>> type_of([1, 2]), type_of([1, 0.5]), type_of([True]), type_of([{}, "a"]), type_of([1, "a"])
    ('integer', 'numeric', 'boolean', 'json', 'text')
    """
    kinds = {_kind_of(value) for value in values}
    if "json" in kinds:
        return "json"
    if kinds == {"integer", "numeric"}:
        return "numeric"
    return kinds.pop() if len(kinds) == 1 else "text"


def _kind_of(value: object) -> LogicalType:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if _LOWEST <= value <= _HIGHEST else "numeric"
    if isinstance(value, float):
        return "numeric" if math.isfinite(value) else "text"
    if isinstance(value, Decimal):
        return "numeric" if value.is_finite() else "text"
    return "json" if isinstance(value, (dict, list, tuple)) else "text"
