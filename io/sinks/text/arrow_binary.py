"""Columns of Arrow as the data that PostgreSQL's COPY reads in its binary format.

The server reads a UUID, an instant or a number in this form in a fraction of the time that it takes for
its text. Only values that are surely the ones that ``arrow_text`` writes are given in this way: each type of
column that is here takes them as they are (PostgreSQL manual, COPY, "Binary Format").
"""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sinks.text.arrow_text import JSONB_TEXT, data_of, json_of
from sinks.text.arrow_values import READ, scales_of, values_of
from transforms.parse.columns.arrow_cells import ArrowCells

PIECE = 5_000
"""How many rows are made at once."""

_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_WHOLE = {"int2": pa.int16(), "int4": pa.int32(), "int8": pa.int64()}
_STRINGS = frozenset({"text", "varchar", "bpchar"})
_JSONB = "\x01"
"""What stands before a text of JSON: the number of the format."""

_UUID = 36
_DASHES = (8, 13, 18, 23)

_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The years that a text can name without a sign, 1 to 9999, in seconds from 1970 on."""
_EPOCH = 946_684_800
"""PostgreSQL's 2000-01-01, in seconds from 1970 on."""
_DAY = 86_400

_GROUP = 10_000
"""PostgreSQL keeps four digits of a number in each of its own."""
_NEGATIVE = 0x4000
_MOST_DIGITS = 18
"""As many fit into 64 bits."""
_MOST_BEHIND = 16
"""As many digits behind the point make four whole groups; the next ones would not fit into 64 bits."""

Bytes = np.ndarray[Any, Any]
"""For each value as many bytes."""

Fixed = Callable[[Any], "Bytes | None"]
"""The bytes of values, none of which is null; None where that is not sure."""


def binary_of(kinds: Sequence[str], cells: Sequence[Sequence[Any]]) -> bytes | None:
    """The data of rows; None where a value may not be the one that its text is.

    Args:
        kinds: The types of the columns, or ``JSONB_TEXT``.
        cells: The cells of each column, as many in all of them.
    """
    columns: list[tuple[Any, Fixed | None]] = []
    for kind, column in zip(kinds, cells, strict=True):
        if not isinstance(column, ArrowCells):
            return None
        fixed = _fixed(kind, column.array.type)
        if fixed is None and not _is_text(kind, column.array.type):
            return None
        array: Any = column.array
        if kind == JSONB_TEXT:
            array = pc.binary_join_element_wise(_JSONB, array, "")
        columns.append((array, fixed))
    pieces = [_HEAD]
    for start in range(0, len(cells[0]), PIECE):
        piece = _piece([(array.slice(start, PIECE), fixed) for array, fixed in columns])
        if piece is None:
            return None
        pieces.append(piece)
    return b"".join((*pieces, _END))


def _piece(columns: Sequence[tuple[Any, Fixed | None]]) -> bytes | None:
    """The rows of ``columns``."""
    count = len(columns[0][0])
    beside: list[Bytes] = [_repeated(len(columns), ">i2", count)]
    parts: list[Any] = []
    for array, fixed in columns:
        if fixed is None:
            texts = _texts(array)
            if texts is None:
                return None
        else:
            values = fixed(array.drop_null() if array.null_count else array)
            if values is None:
                return None
            if not array.null_count:
                beside += [_repeated(values.shape[1], ">i4", count), values]
                continue
            texts = _spread(values, array)
        beside.append(_lengths(texts))
        parts += [_joined(beside), pc.fill_null(texts, b"") if texts.null_count else texts]
        beside = []
    if beside:
        parts.append(_joined(beside))
    return data_of(pc.binary_join_element_wise(*parts, b""))


def _repeated(number: int, kind: str, count: int) -> Bytes:
    """A number for each of ``count`` rows."""
    one = np.array([number], kind).view(np.uint8)
    return np.broadcast_to(one, (count, len(one)))


def _joined(beside: Sequence[Bytes]) -> Any:
    """For each row its bytes in all of ``beside``, as an array of Arrow."""
    rows = np.concatenate(beside, axis=1)
    return _array(rows, np.arange(len(rows) + 1, dtype=np.int32) * np.int32(rows.shape[1]))


def _spread(values: Bytes, array: Any) -> Any:
    """The bytes of ``values`` where ``array`` is not null, and null where it is."""
    valid = array.is_valid()
    ends = np.cumsum(valid.to_numpy(zero_copy_only=False), dtype=np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), ends * np.int32(values.shape[1])])
    return pc.if_else(valid, _array(values, offsets), None)


def _array(values: Bytes, offsets: Any) -> Any:
    data = np.ascontiguousarray(values)
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(data.data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _lengths(texts: Any) -> Bytes:
    """What stands before each text: how many bytes it has, or -1 for null."""
    lengths = pc.fill_null(pc.binary_length(texts), -1).to_numpy(zero_copy_only=False)
    return _bytes(lengths, ">i4")


def _bytes(numbers: Any, kind: str) -> Bytes:
    """The bytes of each number, the highest first."""
    written = np.ascontiguousarray(numbers.astype(kind))
    return written.view(np.uint8).reshape(len(written), written.dtype.itemsize)


def _is_text(kind: str, arrow_type: Any) -> bool:
    if kind == "jsonb":
        return bool(pa.types.is_struct(arrow_type))
    return (kind in _STRINGS or kind == JSONB_TEXT) and bool(pa.types.is_string(arrow_type))


def _texts(array: Any) -> Any:
    """Strings as they are, and records as ``jsonb`` takes them; None where one has to be looked at."""
    if pa.types.is_struct(array.type):
        texts = json_of(array, _JSONB)
        return None if texts is None else texts.view(pa.binary())
    return None if b"\0" in data_of(array) else array.view(pa.binary())


def _fixed(kind: str, arrow_type: Any) -> Fixed | None:
    """What makes values of a type of Arrow those of a column of a type, all of them of one length."""
    types = pa.types
    if kind in _WHOLE and types.is_integer(arrow_type):
        return lambda array: _whole(array, _WHOLE[kind])
    if types.is_string(arrow_type):
        if kind == "uuid":
            return uuids_of
        return (lambda array: _read(kind, array)) if kind in READ else None
    if kind == "numeric" and types.is_decimal128(arrow_type):
        return _decimals
    if kind == "bool" and types.is_boolean(arrow_type):
        return lambda array: _bytes(array.to_numpy(zero_copy_only=False), "u1")
    if kind == "float8" and types.is_float64(arrow_type):
        return lambda array: _bytes(array.to_numpy(zero_copy_only=False), ">f8")
    if kind == "date" and types.is_date32(arrow_type):
        return _days
    # Without a zone, an instant would depend on that of the session.
    zoned = types.is_timestamp(arrow_type) and arrow_type.tz is not None
    if (kind == "timestamptz" and zoned) or (
        kind == "timestamp" and types.is_timestamp(arrow_type)
    ):
        return _moments
    return None


def _read(kind: str, texts: Any) -> Bytes | None:
    """The bytes of the values that a column of a type reads from ``texts``."""
    values = values_of(kind, texts)
    if values is None:
        return None
    if kind == "numeric":
        return _decimals(values, scales_of(texts))
    fixed = _fixed(kind, values.type)
    return None if fixed is None else fixed(values)


def _whole(array: Any, arrow_type: Any) -> Bytes | None:
    try:
        numbers = array.cast(arrow_type)
    except pa.ArrowInvalid:
        return None
    return _bytes(numbers.to_numpy(zero_copy_only=False), f">i{arrow_type.bit_width // 8}")


def uuids_of(array: Any) -> Bytes | None:
    """The 16 bytes of each UUID; None if one is not in its usual spelling.

    Args:
        array: Their texts, none of them null.
    """
    data = data_of(array)
    if len(data) != _UUID * len(array):
        return None
    if not (pc.binary_length(array).to_numpy(zero_copy_only=False) == _UUID).all():
        return None
    if any(data[place::_UUID].count(b"-") < len(array) for place in _DASHES):
        return None
    if data.count(b"-") > len(_DASHES) * len(array):
        return None  # some stand where digits should be
    try:
        values = unhexlify(data.translate(None, b"-"))
    except ValueError:
        return None
    return np.frombuffer(values, np.uint8).reshape(len(array), 16)


def _days(array: Any) -> Bytes | None:
    days = array.view(pa.int32()).to_numpy(zero_copy_only=False)
    if not _are_within(days, _DAY):
        return None
    return _bytes(days - np.int32(_EPOCH // _DAY), ">i4")


def _moments(array: Any) -> Bytes | None:
    microseconds = _MICROSECONDS.get(array.type.unit)
    if microseconds is None:
        return None
    moments = array.view(pa.int64()).to_numpy(zero_copy_only=False)
    if not _are_within(moments, 1_000_000 // microseconds, per_second=True):
        return None
    return _bytes(moments * np.int64(microseconds) - np.int64(_EPOCH * 1_000_000), ">i8")


def _are_within(numbers: Any, seconds: int, *, per_second: bool = False) -> bool:
    """Whether all moments are within the years 1 to 9999: so many to a second, or seconds each."""
    if not len(numbers):
        return True
    bounds = (
        (_FIRST * seconds, _LAST * seconds) if per_second else (_FIRST // seconds, _LAST // seconds)
    )
    return bool(bounds[0] <= int(numbers.min()) and int(numbers.max()) <= bounds[1])


def _decimals(array: Any, scales: Any = None) -> Bytes | None:
    """Numbers of up to 18 digits, each with as many groups of digits as the longest needs.

    The server leaves out zeros in front and at the end.

    Args:
        array: The numbers.
        scales: How many digits behind the point each shows; None for as many as its type has.
    """
    scale = array.type.scale
    if not 0 <= scale <= _MOST_BEHIND:
        return None
    _, data = array.buffers()
    pairs = np.frombuffer(data, np.int64, 2 * (array.offset + len(array)))
    low, high = pairs[2 * array.offset :: 2], pairs[2 * array.offset + 1 :: 2]
    most = 10**_MOST_DIGITS
    if (high != low >> 63).any() or (low >= most).any() or (low <= -most).any():
        return None
    whole, behind = np.divmod(np.abs(low).astype(np.uint64), np.uint64(10**scale))
    groups = -(-scale // 4)
    behind *= np.uint64(10 ** (4 * groups - scale))
    digits = _groups(behind, groups)
    before = 1
    while before < 5 and len(whole) and int(whole.max()) >= _GROUP**before:
        before += 1
    digits = [*_groups(whole, before), *digits]
    head: list[Any] = [len(digits), before - 1, 0, scale]
    written = np.empty((len(low), len(head) + len(digits)), ">i2")
    written[:, : len(head)] = head
    if scales is not None:
        written[:, 3] = scales
    written[:, 2] = np.where(low < 0, _NEGATIVE, 0)
    for place, group in enumerate(digits, start=len(head)):
        written[:, place] = group
    return written.view(np.uint8).reshape(len(low), written.shape[1] * 2)


def _groups(numbers: Any, count: int) -> list[Any]:
    """The last ``count`` groups of the digits of each number, the highest first."""
    groups: list[Any] = []
    for _ in range(count):
        numbers, group = np.divmod(numbers, np.uint64(_GROUP))
        groups.insert(0, group)
    return groups
