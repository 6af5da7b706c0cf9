"""Read many messages of one schema of Avro at once: field by field, not message by message.

What ``program`` compiles reads a message in some steps of Python for each field. Here, a step is one
for all messages: where a field begins in each of them is a column of numbers, and from it numpy reads
the column of the field's values and where the next field begins. That takes a third of the time.
The values are the same. That something does not fit is noticed, not explained: ``program`` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from transforms.parse.avro.connect import meaning, stored
from transforms.parse.avro.octets import Octets, Places
from transforms.parse.avro.program import Read, compiled
from transforms.parse.avro.reading import Unfit
from transforms.parse.avro.shapes import Convert

FEW = 48
"""Fewer messages than so many are read one by one: a step for all of them costs as much."""

MANY = 2_000
"""The most messages that are read at once: what is read of them fits into a processor's cache."""

_MOST_BYTES = 1 << 20
"""After so many bytes, no further message is read at once with those before it."""

Column = tuple[Sequence[Any], Places]
"""A value of each message, and where it ends."""

Reader = Callable[[Octets, Places, Places], Column]
"""Takes the bytes of messages, where values begin, and the number of the message that each is in.

It raises ``ValueError``, ``IndexError``, ``ArithmeticError`` or ``struct.error`` if a message does not fit.
"""


class Columns:
    """Reads messages of one schema.

    Args:
        schema: As ``fastavro.parse_schema`` has parsed it; ``Shapes`` has accepted it, and no type of
            it contains itself.
        names: Its named types, by full name.
        deepest: How many records may be nested.

    Raises:
        RecursionError: More are.
    """

    def __init__(self, schema: Any, names: Mapping[str, Any], deepest: int) -> None:
        self._read = _Readers(names, deepest).of(schema)

    def values(self, raws: Sequence[bytes], at: int) -> list[Any]:
        """The values of ``raws`` from ``at`` on.

        Raises:
            ValueError, IndexError, ArithmeticError, struct.error: One of them does not fit.
        """
        values: list[Any] = []
        for part in _parts(raws):
            octets = Octets(part, at)
            read, ends = self._read(octets, octets.bodies, np.arange(len(part)))
            if not np.array_equal(ends, octets.ends):
                raise Unfit("a message ends elsewhere")
            values += read
        return values


def _parts(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """``raws`` in parts that are read at once."""
    sizes = np.cumsum(np.fromiter(map(len, raws), np.int64, len(raws)))
    start = before = 0
    while start < len(raws):
        end = min(start + MANY, 1 + int(np.searchsorted(sizes, before + _MOST_BYTES)))
        yield raws[start:end]
        start, before = end, int(sizes[min(end, len(raws)) - 1])


class _OneByOne:
    """Reads values message by message."""

    def __init__(self, schema: Any, names: Mapping[str, Any], deepest: int) -> None:
        self._schema, self._names, self._deepest = schema, names, deepest

    @cached_property
    def _read(self) -> Read:
        return compiled(self._schema, self._names, self._deepest)

    def __call__(self, octets: Octets, at: Places, of: Places) -> Column:
        values: list[Any] = []
        ends: list[int] = []
        read, raws = self._read, octets.raws
        starts = octets.starts[of]
        places = zip(of.tolist(), starts.tolist(), (at - starts).tolist(), strict=True)
        for number, start, place in places:
            value, end = read(raws[number], place, 0)
            values.append(value)
            ends.append(start + end)
        return values, np.array(ends, np.int64)


class _Readers:
    """Makes the readers of the types of a schema."""

    def __init__(self, names: Mapping[str, Any], deepest: int) -> None:
        self._names, self._deepest = names, deepest
        self._records: dict[str, Reader] = {}
        self._nested = 0

    def of(self, schema: Any) -> Reader:
        """The reader of values of ``schema``."""
        if isinstance(schema, list):
            return _union([self._of_some(branch) for branch in schema])
        if isinstance(schema, str):
            return _PRIMITIVES.get(schema) or self.of(self._names[schema])
        kind = schema["type"]
        if isinstance(kind, list | dict):
            return self.of(kind)
        shape = meaning(schema)
        if shape is not None:
            return _converted(self.of(stored(schema)), shape[1])
        if kind in ("record", "error"):
            return self._record(schema)
        if kind == "enum":
            return _enum(schema["symbols"])
        if kind == "fixed":
            return _fixed(schema["size"])
        if kind == "array":
            return _array(self._of_some(schema["items"]), self._one_by_one(schema))
        if kind == "map":
            return _map(self._of_some(schema["values"]), self._one_by_one(schema))
        return self.of(kind)

    def _of_some(self, schema: Any) -> Reader:
        """The reader of values that some messages have and others have not."""
        together, alone = self.of(schema), self._one_by_one(schema)
        return lambda octets, at, of: (together if len(of) >= FEW else alone)(octets, at, of)

    def _one_by_one(self, schema: Any) -> Reader:
        return _OneByOne(schema, self._names, self._deepest)

    def _record(self, schema: Mapping[str, Any]) -> Reader:
        name = schema["name"]
        if name not in self._records:
            self._nested += 1
            if self._nested > self._deepest:
                raise RecursionError
            fields = schema["fields"]
            readers = [self.of(field["type"]) for field in fields]
            self._records[name] = _record(readers, [field["name"] for field in fields])
            self._nested -= 1
        return self._records[name]


def _record(readers: Sequence[Reader], names: Sequence[str]) -> Reader:
    as_dicts = _dicts_of(names)

    def read(octets: Octets, at: Places, of: Places) -> Column:
        columns = []
        for reader in readers:
            values, at = reader(octets, at, of)
            columns.append(values)
        return as_dicts(columns) if columns else [{} for _ in at], at

    return read


def _dicts_of(names: Sequence[str]) -> Callable[[Sequence[Sequence[Any]]], list[dict[str, Any]]]:
    """The function that makes dicts of the columns of their values: written out, it takes half of the time."""
    constants = {f"n{number}": name for number, name in enumerate(names)}
    fields = ", ".join(f"n{number}: v{number}" for number in range(len(names)))
    values = "".join(f"v{number}, " for number in range(len(names)))
    text = f"lambda columns: [{{{fields}}} for {values} in zip(*columns, strict=True)]"
    function: Callable[[Sequence[Sequence[Any]]], list[dict[str, Any]]]
    function = eval(text if names else "None", constants)  # noqa: S307 - generated from numbers alone
    return function


def _converted(reader: Reader, convert: Convert) -> Reader:
    def read(octets: Octets, at: Places, of: Places) -> Column:
        values, at = reader(octets, at, of)
        return list(map(convert, values)), at

    return read


def _enum(symbols: Sequence[str]) -> Reader:
    texts = np.fromiter(symbols, object, len(symbols))

    def read(octets: Octets, at: Places, of: Places) -> Column:
        number, at = octets.longs_at(at)
        return texts[_checked(number, len(texts), "symbol")].tolist(), at

    return read


def _checked(number: Places, count: int, what: str) -> Places:
    if len(number) and not 0 <= number.min() <= number.max() < count:
        raise Unfit(f"there is no such {what}")
    return number


def _fixed(size: int) -> Reader:
    def read(octets: Octets, at: Places, of: Places) -> Column:
        ends = at + size
        octets.check(ends, of)
        return _slices(octets.whole, at, ends), ends

    return read


def _slices(whole: Any, starts: Places, ends: Places) -> list[Any]:
    return [whole[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _union(branches: Sequence[Reader]) -> Reader:
    def read(octets: Octets, at: Places, of: Places) -> Column:
        branch, at = octets.longs_at(at)
        _checked(branch, len(branches), "branch")
        chosen = np.flatnonzero(np.bincount(branch)).tolist()
        if len(chosen) == 1:
            return branches[chosen[0]](octets, at, of)
        result = np.empty(len(at), object)
        for number in chosen:
            where = np.flatnonzero(branch == number)
            values, at[where] = branches[number](octets, at[where], of[where])
            result[where] = np.fromiter(values, object, len(values))
        return result.tolist(), at

    return read


def _array(item: Reader, alone: Reader) -> Reader:
    def read(octets: Octets, at: Places, of: Places) -> Column:
        values: list[Any] = [None] * len(of)

        def take(at: Places, of: Places, where: Sequence[int], *, first: bool) -> Places:
            items, at = item(octets, at, of)
            if first:
                for index, value in zip(where, items, strict=True):
                    values[index] = [value]
            else:
                for index, value in zip(where, items, strict=True):
                    values[index].append(value)
            return at

        ends = _in_rounds(octets, at, of, values, take, alone)
        return [[] if value is None else value for value in values], ends

    return read


def _map(value: Reader, alone: Reader) -> Reader:
    def read(octets: Octets, at: Places, of: Places) -> Column:
        values: list[Any] = [{} for _ in of]

        def take(at: Places, of: Places, where: Sequence[int], *, first: bool) -> Places:
            keys, at = _text(octets, at, of)
            items, at = value(octets, at, of)
            for index, key, item in zip(where, keys, items, strict=True):
                values[index][key] = item
            return at

        return values, _in_rounds(octets, at, of, values, take, alone)

    return read


class _Take(Protocol):
    """Reads an item of each of some arrays or maps."""

    def __call__(self, at: Places, of: Places, where: Sequence[int], *, first: bool) -> Places:
        """Keep it with the values at ``where``; returns where it ends.

        Args:
            at: As for a ``Reader``.
            of: The same.
            where: Which arrays or maps they are.
            first: Whether it is their first one.
        """
        ...


def _in_rounds(
    octets: Octets, at: Places, of: Places, values: list[Any], take: _Take, alone: Reader
) -> Places:
    """Read arrays or maps: in each round one item of each that has more of them.

    Args:
        octets: As for a ``Reader``.
        at: The same.
        of: The same.
        values: Gets the values of those that are read alone.
        take: Reads an item of some.
        alone: Reads whole ones, one by one: once only a few have more items.

    Returns:
        Where they end.
    """
    left, ends = octets.counts_at(at)
    rest = np.flatnonzero(left)
    first = True
    while len(rest):
        if len(rest) < FEW:
            whole, ends[rest] = alone(octets, at[rest], of[rest])
            for index, value in zip(rest.tolist(), whole, strict=True):
                values[index] = value
            break
        places = take(ends[rest], of[rest], rest.tolist(), first=first)
        octets.check(places, of[rest])
        ends[rest] = places
        left[rest] -= 1
        closed = rest[left[rest] == 0]
        if len(closed):
            left[closed], ends[closed] = octets.counts_at(ends[closed])
            rest = rest[left[rest] > 0]
        first = False
    return ends


def _null(octets: Octets, at: Places, of: Places) -> Column:
    return [None] * len(at), at


def _boolean(octets: Octets, at: Places, of: Places) -> Column:
    byte = octets.bytes_at(at)
    if byte.max(initial=0) > 1:
        raise Unfit("a boolean is neither 0 nor 1")
    return (byte == 1).tolist(), at + 1


def _integer(octets: Octets, at: Places, of: Places) -> Column:
    values, at = octets.longs_at(at)
    return values.tolist(), at


def _float(octets: Octets, at: Places, of: Places) -> Column:
    return octets.floats_at(at).tolist(), at + 4


def _double(octets: Octets, at: Places, of: Places) -> Column:
    return octets.doubles_at(at).tolist(), at + 8


def _bytes(octets: Octets, at: Places, of: Places) -> Column:
    starts, ends = octets.lengths_at(at, of)
    return _slices(octets.whole, starts, ends), ends


def _text(octets: Octets, at: Places, of: Places) -> Column:
    starts, ends = octets.lengths_at(at, of)
    texts = _slices(octets.characters, starts, ends)
    if "".join(texts).isascii():
        return texts, ends
    return [_utf8(text) for text in texts], ends


def _utf8(text: str) -> str:
    """The text whose bytes are the characters of ``text``."""
    return text if text.isascii() else text.encode("latin-1").decode()


_PRIMITIVES: dict[str, Reader] = {
    "null": _null,
    "boolean": _boolean,
    "int": _integer,
    "long": _integer,
    "float": _float,
    "double": _double,
    "bytes": _bytes,
    "string": _text,
}
