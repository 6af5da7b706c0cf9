"""How each operation is written as code: a few lines for one record ``r``.

A template must leave ``r`` a dict of its own, raise ``Reject`` for what does not fit, and say
``continue`` for a record that goes no further.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from transforms.batch.several import MOST_RECORDS
from transforms.mapping.casts import texts
from transforms.mapping.casts.dates import day, timestamp
from transforms.mapping.casts.numbers import numeric
from transforms.mapping.casts.words import boolean
from transforms.mapping.code import Code
from transforms.mapping.expressions import Expression, condition, evaluated
from transforms.mapping.field import Field
from transforms.mapping.hiding import hashed, masked
from transforms.mapping.lineage import Lineage
from transforms.mapping.objects import ABSENT, flattened, taken, too_many, unnested, walk
from transforms.mapping.operations import (
    Assign,
    Case,
    Cast,
    CastTo,
    Compute,
    Constant,
    Default,
    Drop,
    Filter,
    Flatten,
    Hash,
    Mask,
    Moment,
    Numeric,
    Operation,
    OriginValue,
    Rename,
    Select,
    TakePath,
    Trim,
    Truth,
    Unnest,
)
from transforms.mapping.origin_values import OF_BATCH
from transforms.mapping.paths import Steps

GONE: Any = object()
"""Stands for a record that a filter leaves out."""


@dataclass(slots=True)
class Writer:
    """Writes the operations of one mapping.

    Attributes:
        code: Gets the lines.
        lineage: Says which values no message may show.
        csv: Whether the records are of CSV, where an empty text without quotes is nothing.
        at: The number of the operation that is written.
        inside: Whether it is inside the loop of an ``unnest``.
    """

    code: Code
    lineage: Lineage
    csv: bool
    at: int = 0
    inside: bool = field(default=False)

    def write(self, operation: Operation) -> None:
        """Write the next operation."""
        _TEMPLATES[type(operation)](self, operation)
        self.at += 1

    def field(self, name: str, operation: str) -> Field:
        """A field before this operation."""
        return Field(operation, name, self.lineage.hides(self.at, name))

    def change(self, name: str, change: Callable[[Any], Any]) -> None:
        """Replace the value of a field that is there and not null."""
        key = self.code.bind(name)
        self.code.line(f"x = r.get({key})")
        self.code.line(f"if x is not None: r[{key}] = {{change}}(x)", change=change)

    def set(self, name: str, value: Constant | OriginValue) -> None:
        """Set a field, as the rest of the line where one has begun."""
        self.code.line(f"r[{{name}}] = {self.expression(value)}", name=name)

    def expression(self, value: Constant | OriginValue) -> str:
        """What stands for a value."""
        if isinstance(value, Constant):
            return self.code.bind(value.value)
        bound = self.code.bind(value)
        if value.kind in OF_BATCH:
            return f"origins.of_batch({bound})"
        return f"origins.of_record({bound}, i)"


def _select(writer: Writer, operation: Select) -> None:
    writer.code.line("r = {{n: r[n] for n in {names} if n in r}}", names=operation.names)


def _drop(writer: Writer, operation: Drop) -> None:
    for name in operation.names:
        writer.code.line("r.pop({name}, None)", name=name)


def _rename(writer: Writer, operation: Rename) -> None:
    code, absent = writer.code, writer.code.bind(ABSENT)
    variables = []
    olds = {name for name, _ in operation.pairs}
    apart = olds.isdisjoint(to for _, to in operation.pairs)  # else all are taken out first
    for name, to in operation.pairs:
        variable = code.fresh()
        code.line(f"{variable} = r.pop({{name}}, {absent})", name=name)
        variables.append((variable, name, to))
        if apart:
            _put(writer, *variables.pop())
    for variable, name, to in variables:
        _put(writer, variable, name, to)


def _put(writer: Writer, variable: str, name: str, to: str) -> None:
    code, key = writer.code, writer.code.bind(to)
    collision = taken(writer.field(name, "rename"), to, name)
    code.line(f"if {variable} is not {code.bind(ABSENT)}:")
    code.indent()
    code.line(
        f"if {key} in r: raise {{make}}(*{{arguments}})",
        make=type(collision),
        arguments=collision.args,
    )
    code.line(f"r[{key}] = {variable}")
    code.dedent()


def _assign(writer: Writer, operation: Assign) -> None:
    for name, value in operation.pairs:
        writer.set(name, value)


def _default(writer: Writer, operation: Default) -> None:
    code = writer.code
    for name, value in operation.pairs:
        key = code.bind(name)
        code.line(f"x = r.get({key})")
        blank = " or (x == '' and type(x) is str)" if writer.csv else ""
        code.line(f"if x is None{blank}: r[{key}] = {writer.expression(value)}")


def _path(writer: Writer, operation: TakePath) -> None:
    code, absent = writer.code, writer.code.bind(ABSENT)
    steps: Steps = operation.steps
    slow = code.bind(walk(steps, Field("path", operation.name)))
    code.line(f"x = r.get({{name}}, {absent})", name=steps[0])
    for step in steps[1:]:
        if isinstance(step, str):
            fast, within = f"x.get({code.bind(step)}, {absent})", "type(x) is dict"
        else:
            fast, within = f"x[{step}]", f"type(x) is list and {_within(step)}"
        code.line(f"x = {fast} if {within} else {slow}(r)")
    code.line(f"if x is not {absent}: r[{{name}}] = x", name=operation.name)


def _within(index: int) -> str:
    return f"len(x) > {index}" if index >= 0 else f"len(x) >= {-index}"


def _flatten(writer: Writer, operation: Flatten) -> None:
    writer.code.line(
        "r = {flat}(r)", flat=flattened(operation, Field("flatten", operation.field or ""))
    )


def _cast(writer: Writer, operation: Cast) -> None:
    for name, to in operation.pairs:
        writer.change(name, _caster(to, writer.field(name, "cast"), csv=writer.csv))


def _caster(to: CastTo, of: Field, *, csv: bool) -> Callable[[Any], Any]:
    if isinstance(to, Numeric):
        return numeric(to, of, csv=csv)
    if isinstance(to, Truth):
        return boolean(to, of, csv=csv)
    if isinstance(to, Moment):
        return (day if to.to == "date" else timestamp)(to, of, csv=csv)
    return texts.text(of) if to.to == "text" else texts.json(of, csv=csv)


def _trim(writer: Writer, operation: Trim) -> None:
    _change_texts(writer, operation.names, "strip")


def _case(writer: Writer, operation: Case) -> None:
    for name, case in operation.pairs:
        _change_texts(writer, (name,), case)


def _change_texts(writer: Writer, names: tuple[str, ...], method: str) -> None:
    for name in names:
        key = writer.code.bind(name)
        writer.code.line(f"x = r.get({key})")
        writer.code.line(f"if type(x) is str: r[{key}] = x.{method}()")


def _hash(writer: Writer, operation: Hash) -> None:
    for name, reference in operation.pairs:
        writer.change(name, hashed(reference, writer.field(name, "hash")))


def _mask(writer: Writer, operation: Mask) -> None:
    for name, kept in operation.pairs:
        writer.change(name, masked(kept, writer.field(name, "mask")))


def _filter(writer: Writer, operation: Filter) -> None:
    text = operation.expression
    of = Field("filter", "", writer.lineage.hides_in(writer.at, text))
    skip = "continue" if writer.inside else f"add({writer.code.bind(GONE)}); continue"
    keep = condition(Expression(text), of)
    writer.code.line("if not {keep}(r):", keep=keep)
    writer.code.indent()
    writer.code.line(skip)
    writer.code.dedent()


def _compute(writer: Writer, operation: Compute) -> None:
    text = operation.expression
    of = Field("compute", operation.name, writer.lineage.hides_in(writer.at, text))
    writer.code.line(
        "r[{name}] = {value}(r)", name=operation.name, value=evaluated(Expression(text), of)
    )


def _unnest(writer: Writer, operation: Unnest) -> None:
    code = writer.code
    records = unnested(operation, Field("unnest", operation.field))
    if not writer.inside:
        code.line("several = []")
    writer.inside = True
    code.line("for r in {records}(r):", records=records)
    code.indent()
    code.line(
        "if len(several) >= {most}: raise {make}({of}, {most} + 1)",
        most=MOST_RECORDS,
        make=too_many,
        of=Field("unnest", operation.field),
    )


_TEMPLATES: dict[type, Callable[[Writer, Any], None]] = {
    Select: _select,
    Drop: _drop,
    Rename: _rename,
    Assign: _assign,
    TakePath: _path,
    Flatten: _flatten,
    Cast: _cast,
    Default: _default,
    Trim: _trim,
    Case: _case,
    Hash: _hash,
    Mask: _mask,
    Filter: _filter,
    Compute: _compute,
    Unnest: _unnest,
}
