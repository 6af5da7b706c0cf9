"""The value of the field that ``newest:FIELD`` compares, as a number that keeps its order. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from sinks.order.state import OLDEST
from sinks.table.target import Target
from transforms.errors import ConfigError, Reject

Kind = Literal["number", "instant"]

_NUMBERS = re.compile(
    r"(?:tiny|small|medium|big)?int(?:eger)?[248]?(?:\s*\(.*\))?|numeric.*|decimal.*|"
)
_INSTANTS = re.compile(r"timestamp.*|datetime.*|date")
_TEXT = re.compile(r"text")
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_LARGEST = 1 << 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 60


def kind_of(target: Target, *, typed: bool) -> Kind:
    """What the values of the compared column are.

    Args:
        target: The table.
        typed: Whether the database has a type for instants; otherwise they are text.

    Raises:
        ConfigError: They are neither whole numbers nor instants.
    """
    name = target.on_conflict.field
    type_ = next(column.type for column in target.columns if column.name == name)
    if _NUMBERS.fullmatch(type_):
        return "number"
    if _INSTANTS.fullmatch(type_) or (not typed and _TEXT.fullmatch(type_)):
        return "instant"
    raise ConfigError(
        f"table {target.table}: column {name} is {type_ or 'of no type'}; with deletes, newest:{name} "
        "compares whole numbers or instants; name such a column, or newest:@position"
    )


def ordinal(name: str, kind: Kind, value: Any) -> int:
    """A number that is greater the later ``value`` is.

    Raises:
        Reject: It is not what the column's values are.
    """
    if value is None:
        return OLDEST
    try:
        number = _whole(value) if kind == "number" else _microseconds(value)
    except (ArithmeticError, TypeError, ValueError) as error:
        what = "a whole number" if kind == "number" else "an instant such as 2024-01-31T10:15:00Z"
        message = f"field {name}, which says what is newest, is not {what}: {str(value)[:_SHOWN]!r}"
        raise Reject(message, "order") from error
    if not OLDEST < number < _LARGEST:
        raise Reject(f"field {name}, which says what is newest, is too large to compare", "order")
    return number


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("not a number")
    if isinstance(value, str):
        if not _WHOLE.fullmatch(value.strip()):
            raise ValueError("not a number")
        return int(value)
    number = int(value)
    if not isinstance(value, int | float | Decimal) or number != value:
        raise ValueError("not whole")
    return number


def _microseconds(value: Any) -> int:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise TypeError("not an instant")
    instant = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    past = instant - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds
