"""What is said of a value that does not fit a mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transforms.errors import Reject

CATEGORY = "mapping"
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Field:
    """A field that an operation changes.

    Attributes:
        operation: The name of the operation.
        name: The field's name at that point.
        hidden: Whether the mapping hides the value somewhere, so that no message may show it.
    """

    operation: str
    name: str
    hidden: bool = False

    def refused(self, value: Any, why: str) -> Reject:
        """The rejection of a record for ``value``, which ``why`` says more of: ``is no date``."""
        what = "its value, which the mapping hides," if self.hidden else shown(value)
        return self.failed(f"{what} {why}")

    def failed(self, message: str) -> Reject:
        """The rejection of a record with a message that shows no value."""
        return Reject(f"{' '.join(filter(None, (self.operation, self.name)))}: {message}", CATEGORY)


def shown(value: Any) -> str:
    """A value as messages show it: shortened, and what has parts by its kind."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return "a long number"
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


class QuotedEmpty(str):
    """An empty text that CSV has in quotes, which makes it a text; without quotes it is nothing."""

    __slots__ = ()


QUOTED_EMPTY = QuotedEmpty()
