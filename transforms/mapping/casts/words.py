"""The cast to a boolean: ``true`` and ``false``, and further words."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from transforms.mapping.field import Field
from transforms.mapping.operations import Truth


def boolean(to: Truth, field: Field, *, csv: bool) -> Callable[[Any], Any]:
    """The function that gives the boolean that a value is; null for an empty cell of CSV.

    The case of a word does not matter. A number is the word that it is written as.
    """
    words: dict[str, bool | None] = {"true": True, "false": False}
    words.update(dict.fromkeys(to.true, True))
    words.update(dict.fromkeys(to.false, False))

    def cast(value: Any) -> Any:
        kind = type(value)
        if kind is bool:
            return value
        if kind is str:
            truth = words.get(value) if value in words else words.get(value.strip().lower())
            if truth is not None:
                return truth
            if not value and csv:
                return None
        elif kind is int or kind is Decimal:
            truth = words.get(str(value)) if abs(value) < 10**9 else None
            if truth is not None:
                return truth
        yes, no = ("/".join(w for w in words if words[w] is truth) for truth in (True, False))
        raise field.refused(value, f"is neither {yes} nor {no}")

    return cast
