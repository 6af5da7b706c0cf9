"""Compile a schema of Avro to a Python function that reads one record.

A reader that asks a file object for each number spends most of its time on asking. The function reads
from bytes by index: it takes half of the time that fastavro's compiled reader takes for single messages.
Every value that it reads has at least one byte, so hostile bytes are read to their end at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from transforms.parse.avro.connect import meaning, stored
from transforms.parse.avro.reading import DOUBLE, FLOAT, Unfit, count_at, length_at, long_at

Read = Callable[[bytes, int, int], tuple[Any, int]]
"""Takes bytes, where a value begins, and how many records enclose it; returns it, and where it ends."""

_MOST_NESTED = 8
"""Loops within each other in one function; Python allows 20."""


def compiled(schema: Any, names: Mapping[str, Any], deepest: int) -> Read:
    """The function that reads a value of ``schema``.

    Args:
        schema: As ``fastavro.parse_schema`` has parsed it; ``Shapes`` has accepted it.
        names: Its named types, by full name.
        deepest: How many records may be nested; the function raises ``RecursionError`` beyond.
    """
    program = _Program(names, deepest)
    name = program.function(schema)
    lines = [line for lines in program.functions for line in lines]
    exec("\n".join(lines), program.constants)  # noqa: S102 - generated from numbers alone
    read: Read = program.constants[name]
    return read


class _Program:
    """The source text of functions, and the objects that it names.

    No text of the schema gets into the source: names and symbols are constants.
    """

    def __init__(self, names: Mapping[str, Any], deepest: int) -> None:
        self._names = names
        self._deepest = deepest
        self._records: dict[str, str] = {}
        self._number = 0
        self._nested = 0
        self.functions: list[list[str]] = []
        self.constants: dict[str, Any] = {
            "Unfit": Unfit,
            "long_at": long_at,
            "length_at": length_at,
            "count_at": count_at,
            "double": DOUBLE,
            "single": FLOAT,
        }

    def function(self, schema: Any) -> str:
        """Add the function that reads values of ``schema``; returns its name."""
        name = self._new("read")
        nested, self._nested = self._nested, 0
        body = _Lines()
        value = self._value(schema, body)
        self._nested = nested
        self.functions.append([f"def {name}(d, i, depth):", *body.lines, f" return {value}, i"])
        return name

    def _new(self, prefix: str) -> str:
        self._number += 1
        return f"{prefix}{self._number}"

    def _constant(self, value: Any) -> str:
        name = self._new("constant")
        self.constants[name] = value
        return name

    def _value(self, schema: Any, out: _Lines) -> str:
        """Read a value of ``schema`` into a new variable; returns its name."""
        if isinstance(schema, list):
            return self._union(schema, out)
        if isinstance(schema, str):
            primitive = _PRIMITIVES.get(schema)
            if primitive is not None:
                name = self._new("v")
                out.add(*(line.replace("VALUE", name) for line in primitive))
                return name
            return self._value(self._names[schema], out)
        kind = schema["type"]
        if isinstance(kind, list | dict):
            return self._value(kind, out)
        shape = meaning(schema)
        if shape is not None:
            name = self._value(stored(schema), out)
            out.add(f"{name} = {self._constant(shape[1])}({name})")
            return name
        if kind in ("record", "error"):
            return self._record(schema, out)
        if kind == "enum":
            return self._enum(schema, out)
        if kind == "fixed":
            name = self._new("v")
            out.add(f"{name} = d[i:i + {schema['size']:d}]", f"i += {schema['size']:d}")
            # Otherwise an array of any length could be read from behind the end.
            out.add("if i > len(d):", " raise IndexError")
            return name
        if kind == "array":
            return self._many(schema["items"], out, keyed=False)
        if kind == "map":
            return self._many(schema["values"], out, keyed=True)
        return self._value(kind, out)

    def _record(self, schema: Mapping[str, Any], out: _Lines) -> str:
        function = self._records.get(schema["name"])
        if function is None:
            function = self._records[schema["name"]] = self._new("record")
            nested, self._nested = self._nested, 0
            body = _Lines()
            body.add(f"if depth > {self._deepest:d}:", " raise RecursionError")
            fields = [
                (self._constant(field["name"]), self._value(field["type"], body))
                for field in schema["fields"]
            ]
            self._nested = nested
            values = ", ".join(f"{name}: {value}" for name, value in fields)
            end = f" return {{{values}}}, i"
            self.functions.append([f"def {function}(d, i, depth):", *body.lines, end])
        name = self._new("v")
        out.add(f"{name}, i = {function}(d, i, depth + 1)")
        return name

    def _enum(self, schema: Mapping[str, Any], out: _Lines) -> str:
        symbols = self._constant(tuple(schema["symbols"]))
        name = self._new("v")
        out.add(
            *_short(name, "long_at"),
            f"if not 0 <= {name} < {len(schema['symbols']):d}:",
            ' raise Unfit("an enum has no such symbol")',
            f"{name} = {symbols}[{name}]",
        )
        return name

    def _union(self, branches: list[Any], out: _Lines) -> str:
        name, branch = self._new("v"), self._new("b")
        out.add(
            *_short(branch, "length_at"),
        )
        for number, schema in enumerate(branches):
            with out.within(f"{'if' if number == 0 else 'elif'} {branch} == {number:d}:"):
                value = self._apart(schema, out)
                out.add(f"{name} = {value}")
        out.add("else:", ' raise Unfit("a union has no such branch")')
        return name

    def _many(self, schema: Any, out: _Lines, *, keyed: bool) -> str:
        """The items of an array, or the values of a map, of which blocks follow each other."""
        name, count = self._new("v"), self._new("n")
        out.add(f"{name} = {'{}' if keyed else '[]'}")
        with out.within("while True:"):
            out.add(*_short(count, "count_at"), f"if not {count}:", " break")
            with out.within(f"for _ in range({count}):"):
                key = self._value("string", out) if keyed else ""
                value = self._apart(schema, out)
                out.add(f"{name}[{key}] = {value}" if keyed else f"{name}.append({value})")
        return name

    def _apart(self, schema: Any, out: _Lines) -> str:
        """As ``_value``, in a function of its own where this one is nested deep."""
        self._nested += 1
        try:
            if self._nested <= _MOST_NESTED:
                return self._value(schema, out)
            function = self.function(schema)
        finally:
            self._nested -= 1
        name = self._new("v")
        out.add(f"{name}, i = {function}(d, i, depth)")
        return name


def _short(name: str, otherwise: str) -> tuple[str, ...]:
    """Read a number that is mostly from 0 to 63; ``otherwise`` reads a longer or a negative one."""
    return (
        *(f"{name} = d[i]", f"if {name} & 129:", f" {name}, i = {otherwise}(d, i)"),
        *("else:", f" {name} >>= 1", " i += 1"),
    )


class _Lines:
    """Lines of a function, indented."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._indent = " "

    def add(self, *lines: str) -> None:
        """Add lines; they may have an indentation of their own."""
        self.lines += [self._indent + line for line in lines]

    @contextmanager
    def within(self, head: str) -> Iterator[None]:
        """What is added in this block is the body of ``head``."""
        self.add(head)
        self._indent += " "
        yield
        self._indent = self._indent[:-1]


_INTEGER = (
    "VALUE = d[i]",
    "if VALUE < 128:",
    " VALUE = (VALUE >> 1) ^ -(VALUE & 1)",
    " i += 1",
    "else:",
    " VALUE, i = long_at(d, i)",
)
_BYTES = (
    "VALUE = d[i]",
    "if VALUE & 129:",  # longer than a byte can say, or negative
    " VALUE, i = length_at(d, i)",
    "else:",
    " VALUE >>= 1",
    " i += 1",
    "i += VALUE",
)
_PRIMITIVES: dict[str, tuple[str, ...]] = {
    "null": ("VALUE = None",),
    "boolean": (
        *("VALUE = d[i]", "if VALUE > 1:", ' raise Unfit("a boolean is neither 0 nor 1")'),
        *("VALUE = VALUE == 1", "i += 1"),
    ),
    "int": _INTEGER,
    "long": _INTEGER,
    "float": ("VALUE, = single(d, i)", "i += 4"),
    "double": ("VALUE, = double(d, i)", "i += 8"),
    "bytes": (*_BYTES, "VALUE = d[i - VALUE:i]"),
    "string": (*_BYTES, "VALUE = d[i - VALUE:i].decode()"),
}
