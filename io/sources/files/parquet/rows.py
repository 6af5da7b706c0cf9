"""Turn Arrow columns into the plain Python values of rows, and rows into the bytes that are kept.

What has no exact plain form is settled here: nanoseconds are cut to microseconds (the
resolution of Python and of the databases; always towards the earlier), times with a zone become
UTC, a UUID its text, a map a dict unless a key is there twice, and dates that Python lacks text
(``transforms.parse.far_dates``). The bytes that are kept give back exactly these values
(``transforms.parse.typed_rows``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from transforms.parse.far_dates import date_of, timestamp_of
from transforms.parse.typed_rows import (
    MIDNIGHT_AFTER,
    Kind,
    RowEncoder,
    Unreadable,
    map_of,
    problem_of,
    written,
)

Shape = Callable[[Any], Any]

_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY_NANOSECONDS = 86_400_000_000_000
_HEX_SHOWN = 32


@dataclass(slots=True)
class Rows:
    """The rows of a batch.

    Attributes:
        values: Each row by column; None for what cannot be read.
        raws: The bytes of each row that are kept.
        faults: What is wrong with each row that cannot be read, by its index.
    """

    values: list[dict[str, Any]]
    raws: list[bytes]
    faults: dict[int, str]


@dataclass(slots=True)
class _Column:
    """A column's values; ``written`` are those that JSON takes, often the same list."""

    values: list[Any]
    written: list[Any]
    unreadable: dict[int, Unreadable] = field(default_factory=dict)


class _UnreadableValue(Exception):
    """Python has nothing that a stored value could become."""


def encoder_of(schema: pa.Schema) -> RowEncoder:
    """The encoder of rows that have this schema."""
    return RowEncoder({column.name: _kind(column.type) for column in schema})


def rows_of(
    batch: pa.RecordBatch, encoder: RowEncoder, int96: AbstractSet[str] = frozenset()
) -> Rows:
    """The rows of ``batch``.

    Args:
        batch: Rows as Arrow has them.
        encoder: That of their schema.
        int96: The columns that hold INT96 timestamps.
    """
    names = batch.schema.names
    columns = [
        _column(column, far=name not in int96)
        for name, column in zip(names, batch.columns, strict=True)
    ]
    values = _dicts(names, [each.values for each in columns], len(batch))
    as_json = values
    if any(each.written is not each.values for each in columns):
        as_json = _dicts(names, [each.written for each in columns], len(batch))
    unreadable: dict[int, dict[str, Unreadable]] = {}
    for name, column in zip(names, columns, strict=True):
        for index, each in column.unreadable.items():
            unreadable.setdefault(index, {})[name] = each
    try:
        raws = encoder.encode_all(as_json)
    except (TypeError, ValueError):
        raws = [_encode(encoder, row, unreadable, i) for i, row in enumerate(as_json)]
    for index, lost in unreadable.items():
        row = {name: value for name, value in as_json[index].items() if name not in lost}
        raws[index] = encoder.encode_unreadable(row, lost)
    return Rows(values, raws, {index: problem_of(lost) for index, lost in unreadable.items()})


def _dicts(names: Sequence[str], columns: list[list[Any]], count: int) -> list[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _encode(
    encoder: RowEncoder,
    row: dict[str, Any],
    unreadable: dict[int, dict[str, Unreadable]],
    index: int,
) -> bytes:
    """The bytes of one row; a value without such a form is noted as unreadable."""
    for name, value in row.items():
        try:
            encoder.encode_all([{name: value}])
        except (TypeError, ValueError) as error:
            lost = Unreadable(type(value).__name__, str(error), repr(value))
            unreadable.setdefault(index, {})[name] = lost
    return b"" if index in unreadable else encoder.encode_all([row])[0]


def _column(column: pa.Array[Any], *, far: bool) -> _Column:
    """The values of ``column``.

    Args:
        column: As Arrow has it.
        far: Whether timestamps beyond the years 1 to 9999 are to be believed. In INT96 nobody
            writes them, and a number of days that is too large wraps around in Arrow.
    """
    types, kind = pa.types, column.type
    fast: Callable[[pa.Array[Any]], list[Any] | None] = _pylist
    if types.is_timestamp(kind):
        fast = _timestamps
    elif types.is_date(kind):
        fast = _dates
    values = fast(column)
    unreadable: dict[int, Unreadable] = {}
    if values is None:
        values = []
        for index, scalar in enumerate(column):
            try:
                values.append(_value(scalar, far))
            except _UnreadableValue as error:
                values.append(None)
                unreadable[index] = Unreadable(str(kind), str(error), _stored(scalar))
    if not _has_unwritten(column):
        return _Column(values, values, unreadable)
    known = _kind(kind)
    return _Column(values, [written(known, value) for value in values], unreadable)


def _pylist(column: pa.Array[Any]) -> list[Any] | None:
    """The values by Arrow's own conversion; None where that raises or would change a value."""
    if any(map(_is_changed, _leaves(column))):
        return None
    plain = _plain_type(column.type)
    if plain != column.type:
        column = column.cast(plain, safe=False)
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):
        return None
    shape = _shape(column.type)
    return values if shape is None else [shape(value) for value in values]


def _timestamps(column: pa.Array[Any]) -> list[Any] | None:
    """Timestamps by way of NumPy, a fifth of the time of Arrow's; None where one is far."""
    unit = column.type.unit
    array = column.to_numpy(zero_copy_only=False)
    values: list[Any] = array.astype("M8[us]" if unit == "ns" else f"M8[{unit}]").tolist()
    # Where the year is far there is a number; the smallest of all numbers comes as None.
    if not set(map(type, values)) <= {datetime, type(None)}:
        return None
    if column.null_count != values.count(None):
        return None
    if column.type.tz is None:
        return values
    return [value and value.replace(tzinfo=UTC) for value in values]


def _dates(column: pa.Array[Any]) -> list[Any] | None:
    """Dates by way of NumPy; None where one is far."""
    if column.type != pa.date32():
        return None
    values = column.to_numpy(zero_copy_only=False).astype("M8[D]").tolist()
    return values if set(map(type, values)) <= {date, type(None)} else None


def _leaves(array: Any) -> Iterator[Any]:
    """The arrays of values that lists, structs, maps and dictionaries hold."""
    types, kind = pa.types, array.type
    if types.is_struct(kind):
        for child in array.flatten():
            yield from _leaves(child)
    elif types.is_map(kind):
        yield from _leaves(array.keys)
        yield from _leaves(array.items)
    elif _is_list(kind):
        yield from _leaves(array.flatten())
    elif types.is_dictionary(kind):
        yield from _leaves(array.dictionary)
    else:
        yield array


def _is_changed(leaf: Any) -> bool:
    """Whether Arrow's conversion turns a value of ``leaf`` into another without a word."""
    types, kind = pa.types, leaf.type
    if types.is_time(kind):
        # What is beyond a day would wrap around.
        numbers = leaf.view(pa.int32() if kind.bit_width == 32 else pa.int64())
        low, high = pc.min(numbers).as_py(), pc.max(numbers).as_py()
        return low is not None and (low < 0 or high * _NANOSECONDS[kind.unit] >= _DAY_NANOSECONDS)
    if (types.is_timestamp(kind) or types.is_duration(kind)) and kind.unit == "ns":
        # Arrow cuts towards 1970.
        low = pc.min(leaf.view(pa.int64())).as_py()
        return low is not None and low < 0
    return False


def _has_unwritten(column: Any) -> bool:
    """Whether ``column`` holds what JSON lacks: infinities, NaN, or keys other than text."""
    return any(
        pa.types.is_floating(leaf.type) and pc.all(pc.is_finite(leaf)).as_py() is False
        for leaf in _leaves(column)
    ) or _has_keys(column.type)


def _has_keys(kind: Any) -> bool:
    """Whether a type holds maps whose keys are not text."""
    types = pa.types
    if types.is_map(kind):
        return (
            _kind(kind.key_type) is not None
            or not _is_text(kind.key_type)
            or _has_keys(kind.item_type)
        )
    return types.is_nested(kind) and any(
        _has_keys(kind.field(i).type) for i in range(kind.num_fields)
    )


def _is_text(kind: Any) -> bool:
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_list(kind: Any) -> bool:
    types = pa.types
    return (
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _kind(kind: Any) -> Kind:
    """The type as kept rows name it; None where JSON tells the values apart by itself."""
    types = pa.types
    if isinstance(kind, pa.UuidType):
        return None
    if isinstance(kind, pa.BaseExtensionType):
        return _kind(kind.storage_type)
    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if types.is_map(kind):
        return ["map", _kind(kind.key_type), _kind(kind.item_type)]
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        named = {each.name: found for each in fields if (found := _kind(each.type)) is not None}
        return ["struct", named] if named else None
    if _is_list(kind):
        item = _kind(kind.value_type)
        return None if item is None else ["list", item]
    return next((name for name, matches in _KINDS if matches(kind)), None)


_KINDS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("float", pa.types.is_floating),
    ("decimal", pa.types.is_decimal),
    ("timestamp", pa.types.is_timestamp),
    ("date", pa.types.is_date),
    ("time", pa.types.is_time),
    ("duration", pa.types.is_duration),
    ("bytes", pa.types.is_binary),
    ("bytes", pa.types.is_large_binary),
    ("bytes", pa.types.is_binary_view),
    ("bytes", pa.types.is_fixed_size_binary),
)


def _value(scalar: Any, far: bool) -> Any:
    """The value of one Arrow scalar, exactly as the columns' conversion gives it.

    Args:
        scalar: The value as Arrow has it.
        far: As for ``_column``.

    Raises:
        _UnreadableValue: There is none; the message says why.
    """
    types, kind = pa.types, scalar.type
    if not scalar.is_valid:
        return None
    if isinstance(kind, pa.UuidType):
        return str(scalar.as_py())
    if types.is_dictionary(kind):
        return _value(scalar.value, far)
    if types.is_map(kind):
        return map_of([(_value(pair[0], far), _value(pair[1], far)) for pair in scalar.values])
    if types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        if len(set(names)) < len(names):
            raise _UnreadableValue("a field's name is there twice")
        return {name: _value(scalar[i], far) for i, name in enumerate(names)}
    if _is_list(kind):
        return [_value(each, far) for each in scalar.values]
    if types.is_timestamp(kind):
        found = timestamp_of(_microseconds(scalar), utc=kind.tz is not None)
        if not far and isinstance(found, str):
            raise _UnreadableValue("an INT96 timestamp beyond the years 1 to 9999")
        return found
    if types.is_date(kind):
        return date_of(scalar.value if kind == pa.date32() else scalar.value // 86_400_000)
    if types.is_time(kind):
        return _time(scalar)
    if types.is_duration(kind):
        try:
            return timedelta(microseconds=_microseconds(scalar))
        except OverflowError:
            raise _UnreadableValue(f"a duration of {scalar.value} {kind.unit}") from None
    if _is_text(kind):
        return _text(scalar.as_buffer().to_pybytes())
    return scalar.as_py()


def _microseconds(scalar: Any) -> int:
    return int(scalar.value) * _NANOSECONDS[scalar.type.unit] // 1_000


def _time(scalar: Any) -> time | str:
    nanoseconds = int(scalar.value) * _NANOSECONDS[scalar.type.unit]
    if 0 <= nanoseconds < _DAY_NANOSECONDS:
        return (datetime.min + timedelta(microseconds=nanoseconds // 1_000)).time()
    if nanoseconds == _DAY_NANOSECONDS:
        return MIDNIGHT_AFTER
    raise _UnreadableValue(f"a time of {scalar.value} {scalar.type.unit} is not within a day")


def _text(stored: bytes) -> str:
    try:
        return stored.decode()
    except UnicodeDecodeError as error:
        shown = stored[error.start : error.start + _HEX_SHOWN].hex(" ")
        message = f"not UTF-8 at byte {error.start} of {len(stored):,}: {shown}"
        raise _UnreadableValue(message) from None


def _stored(scalar: Any) -> Any:
    """What is stored, as JSON: numbers for dates and times, ``{"hex": …}`` for bytes."""
    types, kind = pa.types, scalar.type
    if not scalar.is_valid:
        return None
    if types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        return _stored(scalar.value)
    if types.is_map(kind):
        return [[_stored(pair[0]), _stored(pair[1])] for pair in scalar.values]
    if types.is_struct(kind):
        return [[kind.field(i).name, _stored(scalar[i])] for i in range(kind.num_fields)]
    if _is_list(kind):
        return [_stored(each) for each in scalar.values]
    if types.is_temporal(kind):
        return scalar.value
    if hasattr(scalar, "as_buffer"):
        stored = scalar.as_buffer().to_pybytes()
        try:
            return stored.decode() if _is_text(kind) else {"hex": stored.hex()}
        except UnicodeDecodeError:
            return {"hex": stored.hex()}
    return written(_kind(kind), scalar.as_py())


def _plain_type(kind: Any) -> pa.DataType:
    """The type whose values Arrow converts as they are meant to be, but for nanoseconds."""
    types = pa.types
    if types.is_timestamp(kind):
        unit: Any = "us" if kind.unit == "ns" else kind.unit
        zone: Any = None if kind.tz is None else "+00:00"
        return pa.timestamp(unit, zone)
    if types.is_time64(kind):
        return pa.time64("us")
    if types.is_duration(kind):
        return pa.duration("us" if kind.unit == "ns" else kind.unit)
    if types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(i)) for i in range(kind.num_fields)])
    if types.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if types.is_list(kind):
        return pa.list_(_plain_field(kind.value_field))
    if types.is_large_list(kind):
        return pa.large_list(_plain_field(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), int(kind.list_size))
    plain: pa.DataType = kind
    return plain


def _plain_field(field: pa.Field[Any]) -> pa.Field[Any]:
    return field.with_type(_plain_type(field.type))


def _shape(kind: Any) -> Shape | None:
    """How to reshape the values of a type that holds maps or UUIDs; None for all others."""
    types = pa.types
    if isinstance(kind, pa.UuidType):
        return lambda value: str(value) if isinstance(value, UUID) else value
    if types.is_map(kind):
        key, item = _shape(kind.key_type) or _same, _shape(kind.item_type) or _same
        return lambda pairs: (
            None if pairs is None else map_of([(key(k), item(v)) for k, v in pairs])
        )
    if _is_list(kind):
        each = _shape(kind.value_type)
        if each is not None:
            return lambda values: None if values is None else [each(value) for value in values]
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        shapes = {field.name: shape for field in fields if (shape := _shape(field.type))}
        if shapes:
            return lambda value: (
                None
                if value is None
                else {name: shapes.get(name, _same)(each) for name, each in value.items()}
            )
    return None


def _same(value: Any) -> Any:
    return value
