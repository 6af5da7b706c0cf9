"""One Arrow value at a time, exactly: for columns that Arrow cannot convert as a whole."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pyarrow as pa

from sources.files.parquet.arrow_types import (
    DAY_NANOSECONDS,
    NANOSECONDS,
    fields_of,
    is_list,
    is_text,
    kind_of,
)
from transforms.parse.far_dates import date_of, timestamp_of
from transforms.parse.typed_rows import MIDNIGHT_AFTER, map_of, written

_HEX_SHOWN = 32


class UnreadableValue(Exception):
    """A stored value has no counterpart in Python; the message says why."""


def value_of(scalar: Any, far: bool) -> Any:
    """The value of one Arrow scalar, exactly as the conversion of whole columns gives it.

    Args:
        scalar: The value as Arrow has it.
        far: Whether to believe timestamps beyond the years 1 to 9999.

    Raises:
        UnreadableValue: Python has no such value.
    """
    types, arrow_type = pa.types, scalar.type
    if not scalar.is_valid:
        return None
    if isinstance(arrow_type, pa.UuidType):
        return str(scalar.as_py())
    if types.is_dictionary(arrow_type):
        return value_of(scalar.value, far)
    if types.is_nested(arrow_type):
        return _nested(scalar, far)
    if types.is_timestamp(arrow_type):
        timestamp = timestamp_of(_microseconds(scalar), utc=arrow_type.tz is not None)
        if not far and isinstance(timestamp, str):
            raise UnreadableValue("an INT96 timestamp beyond the years 1 to 9999")
        return timestamp
    if types.is_date(arrow_type):
        return date_of(scalar.value if arrow_type == pa.date32() else scalar.value // 86_400_000)
    if types.is_time(arrow_type):
        return _time(scalar)
    if types.is_duration(arrow_type):
        try:
            return timedelta(microseconds=_microseconds(scalar))
        except OverflowError:
            raise UnreadableValue(f"a duration of {scalar.value} {arrow_type.unit}") from None
    if is_text(arrow_type):
        return _text(scalar.as_buffer().to_pybytes())
    return scalar.as_py()


def stored_of(scalar: Any) -> Any:
    """What is stored, as JSON: numbers for dates and times, ``{"hex": …}`` for bytes."""
    types, arrow_type = pa.types, scalar.type
    if not scalar.is_valid:
        return None
    if types.is_dictionary(arrow_type) or isinstance(arrow_type, pa.BaseExtensionType):
        return stored_of(scalar.value)
    if types.is_map(arrow_type):
        return [[stored_of(pair[0]), stored_of(pair[1])] for pair in scalar.values]
    if types.is_struct(arrow_type):
        return [[field.name, stored_of(scalar[i])] for i, field in enumerate(fields_of(arrow_type))]
    if is_list(arrow_type):
        return [stored_of(item) for item in scalar.values]
    if types.is_temporal(arrow_type):
        return scalar.value
    if hasattr(scalar, "as_buffer"):
        stored = scalar.as_buffer().to_pybytes()
        try:
            return stored.decode() if is_text(arrow_type) else {"hex": stored.hex()}
        except UnicodeDecodeError:
            return {"hex": stored.hex()}
    return written(kind_of(arrow_type), scalar.as_py())


def _nested(scalar: Any, far: bool) -> Any:
    """The value of a map, a struct or a list."""
    types, arrow_type = pa.types, scalar.type
    if types.is_map(arrow_type):
        return map_of([(value_of(pair[0], far), value_of(pair[1], far)) for pair in scalar.values])
    if types.is_struct(arrow_type):
        names = [field.name for field in fields_of(arrow_type)]
        if len(set(names)) < len(names):
            raise UnreadableValue("a field's name is there twice")
        return {name: value_of(scalar[i], far) for i, name in enumerate(names)}
    if is_list(arrow_type):
        return [value_of(item, far) for item in scalar.values]
    return scalar.as_py()


def _microseconds(scalar: Any) -> int:
    return int(scalar.value) * NANOSECONDS[scalar.type.unit] // 1_000


def _time(scalar: Any) -> time | str:
    nanoseconds = int(scalar.value) * NANOSECONDS[scalar.type.unit]
    if 0 <= nanoseconds < DAY_NANOSECONDS:
        return (datetime.min + timedelta(microseconds=nanoseconds // 1_000)).time()
    if nanoseconds == DAY_NANOSECONDS:
        return MIDNIGHT_AFTER
    raise UnreadableValue(f"a time of {scalar.value} {scalar.type.unit} is not within a day")


def _text(stored: bytes) -> str:
    try:
        return stored.decode()
    except UnicodeDecodeError as error:
        shown = stored[error.start : error.start + _HEX_SHOWN].hex(" ")
        message = f"not UTF-8 at byte {error.start} of {len(stored):,}: {shown}"
        raise UnreadableValue(message) from None
