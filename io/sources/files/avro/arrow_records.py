"""Avro records of plain fields straight into columns of Arrow, without a value of Python for each.

Only where a record begins is found one after another. Then one field of all records is read at a time, by
NumPy. What is not exactly as the schema says, or is of a type that is not here, is left to fastavro.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.parse.avro.shapes import logical

Numbers = np.ndarray[Any, Any]

Read = Callable[["_Bytes", Numbers], tuple[Any, Numbers]]
"""Reads the values that begin at some places: as an array of Arrow, with the places behind them."""

_LONGEST = 10
"""The bytes of a number of 64 bits, at most; so many follow the data, so that none is read beyond its end."""

_ENDS = bytes(byte > 127 for byte in range(256))
"""By byte, whether more of a number follow it."""

_SHORT = [1 + byte // 2 if byte < 128 and byte % 2 == 0 else 0 for byte in range(256)]
"""By its first byte, how long a text is that has less than 64 bytes; 0 for all others."""

_MOST_DECIMAL = 8
_MOST_SCALE = 38
_DATES = 2**31

_WIDTHS = {"boolean": 1, "float": 4, "double": 8}
_LOGICAL: dict[tuple[str, str], Any] = {
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("int", "date"): pa.date32(),
}


class Unusual(Exception):
    """What is to be read by fastavro."""


@dataclass(frozen=True, slots=True)
class _Bytes:
    """What values are read from.

    Attributes:
        data: The bytes, and some more behind them.
        numbers: The same for NumPy.
        end: Where they end.
    """

    data: bytes
    numbers: Numbers
    end: int


@dataclass(frozen=True, slots=True)
class _Field:
    """A field that is read here.

    Attributes:
        read: Reads its values.
        skip: Lines of Python that move ``p`` from its beginning to behind it.
    """

    read: Read
    skip: tuple[str, ...]


class ArrowRecords:
    """Reads the records of one schema.

    Args:
        fields: By name.
    """

    def __init__(self, fields: Mapping[str, _Field]) -> None:
        self._fields = dict(fields)
        self._starts = _compiled([line for each in fields.values() for line in each.skip])

    def read(self, blocks: Sequence[tuple[int, bytes]]) -> pa.RecordBatch:
        """The records of blocks.

        Args:
            blocks: How many records each has, and their bytes.

        Raises:
            Unusual: They are to be read by fastavro, which may refuse one of them.
        """
        if any(count > len(each) for count, each in blocks):
            raise Unusual
        data = b"".join(each for _, each in blocks)
        ends = np.cumsum([len(each) for _, each in blocks]).tolist()
        try:
            starts = self._starts(
                data, data.translate(_ENDS) + b"\0", list(zip(blocks, ends, strict=True))
            )
        except IndexError:
            raise Unusual from None
        padded = data + bytes(_LONGEST)
        source = _Bytes(padded, np.frombuffer(padded, np.uint8), len(data))
        at = np.array(starts, np.int64)
        columns = []
        for field in self._fields.values():
            column, at = field.read(source, at)
            columns.append(column)
        # Each record ends where the next one begins.
        if at.tolist() != [*starts[1:], len(data)]:
            raise Unusual
        return pa.RecordBatch.from_arrays(columns, list(self._fields))


def arrow_records_of(schema: Mapping[str, Any]) -> ArrowRecords | None:
    """What reads records of ``schema``, as fastavro has parsed it; None if fastavro has to."""
    fields = _fields_of(schema)
    return None if not fields else ArrowRecords(fields)


def _fields_of(schema: Mapping[str, Any]) -> dict[str, _Field] | None:
    fields: dict[str, _Field] = {}
    for declared in schema["fields"]:
        field = _field_of(declared["type"])
        if field is None:
            return None
        fields[declared["name"]] = field
    return fields


def _field_of(schema: Any) -> _Field | None:
    if isinstance(schema, list):
        return _nullable(schema)
    if isinstance(schema, str):
        return _primitive(schema)
    kind = schema["type"]
    if not isinstance(kind, str):
        return _field_of(kind)
    if logical(schema) is not None:
        if kind == "bytes":
            return _decimals(schema.get("scale", 0))
        of_type = _LOGICAL.get((kind, str(schema["logicalType"])))
        return None if of_type is None else _Field(_numbers_as(of_type), _AFTER_NUMBER)
    if kind == "enum":
        return _Field(_symbols(schema["symbols"]), _AFTER_NUMBER)
    if kind == "record":
        return _record(schema)
    return _primitive(kind)


_AFTER_NUMBER = ("p = find(b'\\0', p) + 1",)
_AFTER_TEXT = ("n = SHORT[data[p]]", "p = p + n if n else after(data, p)")


def _primitive(kind: str) -> _Field | None:
    if kind in ("int", "long"):
        return _Field(_numbers_as(pa.int64()), _AFTER_NUMBER)
    if kind == "string":
        return _Field(_texts, _AFTER_TEXT)
    if kind == "boolean":
        return _Field(_booleans, ("p += 1",))
    if kind in ("float", "double"):
        width = _WIDTHS[kind]
        return _Field(_floats(width), (f"p += {width}",))
    return None


def _record(schema: Mapping[str, Any]) -> _Field | None:
    fields = _fields_of(schema)
    if not fields:
        return None

    def read(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
        parts = []
        for field in fields.values():
            part, at = field.read(source, at)
            parts.append(part)
        return pa.StructArray.from_arrays(parts, list(fields)), at

    return _Field(read, tuple(line for each in fields.values() for line in each.skip))


def _nullable(branches: Sequence[Any]) -> _Field | None:
    """A union of null and one other type."""
    if len(branches) != 2 or branches.count("null") != 1:
        return None
    null = branches.index("null")
    field = _field_of(branches[1 - null])
    if field is None:
        return None
    branch, inner = 2 * (1 - null), field.read

    def read(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
        _check(at, source)
        valid = source.numbers[at] == branch
        if (source.numbers[at[~valid]] != 2 * null).any():
            raise Unusual
        behind = at + 1
        values, behind[valid] = inner(source, behind[valid])
        places: Any = np.cumsum(valid) - 1
        return values.take(pa.array(places, pa.int64(), mask=~valid)), behind

    lines = ("n = data[p]", "p += 1", f"if n == {branch}:", *(f"    {line}" for line in field.skip))
    return _Field(read, lines)


def _check(at: Numbers, source: _Bytes) -> None:
    if len(at) and (int(at.max()) >= source.end or int(at.min()) < 0):
        raise Unusual


def _varints(source: _Bytes, at: Numbers) -> tuple[Numbers, Numbers]:
    """The numbers that begin at some places, as they are stored, and the places behind them."""
    _check(at, source)
    byte = source.numbers[at]
    value = (byte & 127).astype(np.uint64)
    behind = at + 1
    left = np.flatnonzero(byte > 127)
    for place in range(1, _LONGEST):
        if not len(left):
            return value, behind
        whole = len(left) == len(at)
        byte = source.numbers[behind if whole else behind[left]]
        if place == _LONGEST - 1 and (byte > 1).any():
            break
        part = (byte & 127).astype(np.uint64) << np.uint64(7 * place)
        if whole:
            value |= part
            behind += 1
        else:
            value[left] |= part
            behind[left] += 1
        left = left[byte > 127]
    if len(left):
        raise Unusual
    return value, behind


def _longs(source: _Bytes, at: Numbers) -> tuple[Numbers, Numbers]:
    stored, behind = _varints(source, at)
    one = np.uint64(1)
    signs = np.uint64(0) - (stored & one)
    return ((stored >> one) ^ signs).view(np.int64), behind


def _numbers_as(of_type: Any) -> Read:
    def read(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
        numbers, behind = _longs(source, at)
        if pa.types.is_date32(of_type):
            if (numbers >= _DATES).any() or (numbers < -_DATES).any():
                raise Unusual
            numbers = numbers.astype(np.int32)
        return pa.array(numbers).view(of_type), behind

    return read


def _spans(source: _Bytes, at: Numbers) -> tuple[Numbers, Numbers]:
    """Where texts begin, whose length stands before them, and where they end."""
    lengths, starts = _longs(source, at)
    if (lengths < 0).any() or (lengths > source.end).any():
        raise Unusual
    ends = starts + lengths
    if len(ends) and int(ends.max()) > source.end:
        raise Unusual
    return starts, ends


def _texts(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
    starts, ends = _spans(source, at)
    # Every second text is what lies between two of them.
    offsets = np.zeros(2 * len(at) + 1, np.int32)
    offsets[1::2], offsets[2::2] = starts, ends
    if (np.diff(offsets) < 0).any():
        raise Unusual
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(source.data)]
    whole: Any = pa.Array.from_buffers(pa.binary(), 2 * len(at), buffers)
    texts: Any = whole.take(pa.array(np.arange(1, 2 * len(at), 2)))
    return texts.view(pa.string()), ends


def _booleans(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
    _check(at, source)
    values = source.numbers[at]
    if (values > 1).any():
        raise Unusual
    return pa.array(values.astype(bool)), at + 1


def _floats(width: int) -> Read:
    def read(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
        _check(at, source)
        data = source.numbers[at[:, None] + np.arange(width)]
        numbers = np.ascontiguousarray(data).view(f"<f{width}").reshape(len(at))
        return pa.array(numbers.astype(np.float64)), at + width

    return read


def _decimals(scale: int) -> _Field | None:
    if scale > _MOST_SCALE:
        return None

    def read(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
        starts, ends = _spans(source, at)
        lengths = ends - starts
        longest = int(lengths.max()) if len(lengths) else 1
        if longest > _MOST_DECIMAL or (lengths == 0).any():
            raise Unusual
        numbers = source.numbers[starts].view(np.int8).astype(np.int64)
        for place in range(1, longest):
            further = (numbers << 8) | source.numbers[starts + place]
            numbers = np.where(lengths > place, further, numbers)
        pairs = np.stack([numbers, numbers >> 63], axis=1)
        buffers = [None, pa.py_buffer(np.ascontiguousarray(pairs).data)]
        of_type = pa.decimal128(_MOST_SCALE, scale)
        return pa.Array.from_buffers(of_type, len(at), buffers), ends

    return _Field(read, _AFTER_TEXT)


def _symbols(symbols: Sequence[str]) -> Read:
    texts: Any = pa.array(symbols, pa.string())

    def read(source: _Bytes, at: Numbers) -> tuple[Any, Numbers]:
        numbers, behind = _longs(source, at)
        if (numbers < 0).any() or (numbers >= len(symbols)).any():
            raise Unusual
        return texts.take(pa.array(numbers)), behind

    return read


def _after(data: bytes, at: int) -> int:
    """Where a text ends whose length has several bytes."""
    length = shift = 0
    while True:
        byte = data[at]
        at += 1
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128 or shift > 63:
            return at + (length >> 1)


def _compiled(
    lines: Sequence[str],
) -> Callable[[bytes, bytes, list[tuple[tuple[int, bytes], int]]], list[int]]:
    """What finds where records begin, by the lines that pass over one of them.

    Whether it is right is seen when they are read.
    """
    body = "\n".join(f"            {line}" for line in lines)
    text = f"""
def starts(data, last, blocks):
    find, found, p = last.find, [], 0
    add = found.append
    for (count, _), end in blocks:
        for _ in range(count):
            add(p)
{body}
        if p != end:
            raise IndexError
    return found
"""
    scope: dict[str, Any] = {"SHORT": _SHORT, "after": _after}
    exec(compile(text, __file__, "exec"), scope)  # noqa: S102 - of the lines above alone
    starts: Callable[[bytes, bytes, Any], list[int]] = scope["starts"]
    return starts
