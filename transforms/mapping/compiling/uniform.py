"""A mapping for records that all have the same fields: no record is looked up or changed in place.

Where the fields are known, a mapping is followed ahead of all records: renaming, dropping and setting
cost nothing for each, and what comes out is built at once. What depends on a record's value (a path
that leads nowhere) is left to the function for any records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from transforms.mapping.casts.dates import USUAL_TIMESTAMP
from transforms.mapping.casts.numbers import USUAL_DIGITS
from transforms.mapping.compiling.code import Code
from transforms.mapping.compiling.templates import Writer, changes_of, within
from transforms.mapping.field import Field
from transforms.mapping.objects import ABSENT, walk
from transforms.mapping.operations import (
    Assign,
    Case,
    Cast,
    CastTo,
    Default,
    Drop,
    Hash,
    Mask,
    Moment,
    Numeric,
    Operation,
    Rename,
    Select,
    TakePath,
    Trim,
)
from transforms.parse.numbers import exact

MOST_FIELDS = 500

Shape = tuple[str, ...]


def written(
    operations: Sequence[Operation], shape: Shape, writer: Writer, others: Any
) -> Sequence[Operation] | None:
    """Write the first operations for records with the fields ``shape``, and then ``r``.

    Args:
        operations: Those of the mapping, or of a part of it.
        shape: The fields, which are in the variables ``f0``, ``f1``, …
        writer: Writes the code.
        others: The function for any records, which takes what this one cannot.

    Returns:
        The operations that are left for ``r``; None if two fields get one name.
    """
    uniform = _Uniform(writer, others, {name: f"f{at}" for at, name in enumerate(shape)})
    for at, operation in enumerate(operations):
        write = _WAYS.get(type(operation))
        if write is None:
            uniform.build()
            return operations[at:]
        if not write(uniform, operation):
            return None
        writer.at += 1
    uniform.build()
    return ()


class _Uniform:
    """The variables that the fields of a record are in, at one point of the mapping."""

    def __init__(self, writer: Writer, others: Any, fields: dict[str, str]) -> None:
        self.writer = writer
        self.code: Code = writer.code
        self.others = self.code.bind(others)
        self.fields = fields

    def build(self) -> None:
        """Write the record."""
        parts = (f"{self.code.bind(name)}: {value}" for name, value in self.fields.items())
        self.code.raw(f"r = {{{', '.join(parts)}}}")

    def put(self, name: str, expression: str) -> None:
        """Set a field, in a variable of its own."""
        variable = self.code.fresh()
        self.code.raw(f"{variable} = {expression}")
        self.fields[name] = variable

    def select(self, operation: Select) -> bool:
        self.fields = {n: self.fields[n] for n in operation.names if n in self.fields}
        return True

    def drop(self, operation: Drop) -> bool:
        for name in operation.names:
            self.fields.pop(name, None)
        return True

    def rename(self, operation: Rename) -> bool:
        pairs = [(to, name) for name, to in operation.pairs if name in self.fields]
        moved = [(to, self.fields.pop(name)) for to, name in pairs]
        for to, value in moved:
            if to in self.fields:
                return False
            self.fields[to] = value
        return True

    def assign(self, operation: Assign) -> bool:
        for name, value in operation.pairs:
            self.put(name, self.writer.expression(value))
        return True

    def default(self, operation: Default) -> bool:
        for name, value in operation.pairs:
            if name not in self.fields:
                self.put(name, self.writer.expression(value))
                continue
            variable = self.fields[name]
            self.code.raw(f"if {self.writer.missing(variable)}:")
            self.code.indent()
            self.code.raw(f"{variable} = {self.writer.expression(value)}")
            self.code.dedent()
        return True

    def path(self, operation: TakePath) -> bool:
        first, *steps = operation.steps
        if first not in self.fields:
            return True
        variable, absent = self.code.fresh(), self.code.bind(ABSENT)
        self.code.raw(f"{variable} = {self.fields[str(first)]}")
        slow = self.code.bind(walk(operation.steps, Field("path", operation.name)))
        whole = f"{slow}({{{self.code.bind(first)}: {self.fields[str(first)]}}})"
        for step in steps:
            fast, fits = within(self.code, variable, step, absent)
            self.code.raw(f"{variable} = {fast} if {fits} else {whole}")
        if steps:
            self.code.raw(f"if {variable} is {absent}:")
            self.code.indent()
            self.code.raw(f"{self.others}((i,), (i,), values, origins, out)")
            self.code.raw("continue")
            self.code.dedent()
        self.fields[operation.name] = variable
        return True

    def change(self, operation: Cast | Hash | Mask) -> bool:
        casts = dict(operation.pairs) if isinstance(operation, Cast) else {}
        for name, change in changes_of(self.writer, operation):
            if name in self.fields:
                self._change(self.fields[name], self.code.bind(change), casts.get(name))
        return True

    def _change(self, variable: str, change: str, to: CastTo | None) -> None:
        """Replace a value; the most usual texts are read without a call."""
        otherwise = f"elif {variable} is not None: {variable} = {change}({variable})"
        if to == Numeric("integer") or to == Numeric("decimal"):
            digits = variable if to == Numeric("integer") else f"{variable}.replace('.', '', 1)"
            self.code.raw(
                f"if type({variable}) is str and len({variable}) <= {USUAL_DIGITS} "
                f"and {variable}.isascii() and {digits}.isdecimal():"
            )
            read = self.code.bind(int if to == Numeric("integer") else exact)
            self.code.raw(f"    {variable} = {read}({variable})")
            self.code.raw(otherwise)
        elif to == Moment("timestamp"):
            self.code.raw(
                f"if type({variable}) is str and len({variable}) == {len(USUAL_TIMESTAMP)} "
                f"and {variable}[4::3] == {USUAL_TIMESTAMP[4::3]!r}:"
            )
            self.code.raw(f"    try: {self.code.bind(datetime.fromisoformat)}({variable})")
            self.code.raw(f"    except ValueError: {change}({variable})")  # which refuses it
            self.code.raw(otherwise)
        else:
            self.code.raw(otherwise.removeprefix("el"))

    def change_texts(self, operation: Trim | Case) -> bool:
        pairs = (
            [(name, "strip") for name in operation.names]
            if isinstance(operation, Trim)
            else operation.pairs
        )
        for name, method in pairs:
            if name in self.fields:
                variable = self.fields[name]
                self.code.raw(f"if type({variable}) is str: {variable} = {variable}.{method}()")
        return True


_WAYS: dict[type, Callable[[_Uniform, Any], bool]] = {
    Select: _Uniform.select,
    Drop: _Uniform.drop,
    Rename: _Uniform.rename,
    Assign: _Uniform.assign,
    Default: _Uniform.default,
    TakePath: _Uniform.path,
    Cast: _Uniform.change,
    Hash: _Uniform.change,
    Mask: _Uniform.change,
    Trim: _Uniform.change_texts,
    Case: _Uniform.change_texts,
}
