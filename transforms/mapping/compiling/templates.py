"""How each operation is written as code: a few lines for one record ``r``.

A template must leave ``r`` a dict of its own, raise ``Reject`` for what does not fit, and say
``continue`` for a record that goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from transforms.batch.several import MOST_RECORDS
from transforms.mapping.casts import texts
from transforms.mapping.casts.dates import day, timestamp
from transforms.mapping.casts.numbers import numeric
from transforms.mapping.casts.words import boolean
from transforms.mapping.compiling.code import Code
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

    def expression(self, value: Constant | OriginValue) -> str:
        """What stands for a value."""
        if isinstance(value, Constant):
            return self.code.bind(value.value)
        bound = self.code.bind(value)
        if value.kind not in OF_BATCH:
            return f"origins.of_record({bound}, i)"
        if value.kind == "path":  # not every source has it
            return f"origins.of_batch({bound})"
        variable = self.code.fresh()
        self.code.before(f"{variable} = origins.of_batch({bound})")
        return variable

    def missing(self, variable: str) -> str:
        """The condition that says whether a value is null, or an empty cell of CSV."""
        blank = f" or ({variable} == '' and type({variable}) is str)" if self.csv else ""
        return f"{variable} is None{blank}"


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
        writer.code.line(f"r[{{name}}] = {writer.expression(value)}", name=name)


def _default(writer: Writer, operation: Default) -> None:
    code = writer.code
    for name, value in operation.pairs:
        key = code.bind(name)
        code.line(f"x = r.get({key})")
        code.line(f"if {writer.missing('x')}: r[{key}] = {writer.expression(value)}")


def _path(writer: Writer, operation: TakePath) -> None:
    code, absent = writer.code, writer.code.bind(ABSENT)
    steps: Steps = operation.steps
    slow = code.bind(walk(steps, Field("path", operation.name)))
    code.line(f"x = r.get({{name}}, {absent})", name=steps[0])
    for step in steps[1:]:
        fast, fits = within(code, "x", step, absent)
        code.line(f"x = {fast} if {fits} else {slow}(r)")
    code.line(f"if x is not {absent}: r[{{name}}] = x", name=operation.name)


def within(code: Code, variable: str, step: str | int, absent: str) -> tuple[str, str]:
    """What takes a step into a value, and whether it can be taken."""
    if isinstance(step, str):
        return f"{variable}.get({code.bind(step)}, {absent})", f"type({variable}) is dict"
    long_enough = f"> {step}" if step >= 0 else f">= {-step}"
    return f"{variable}[{step}]", f"type({variable}) is list and len({variable}) {long_enough}"


def _flatten(writer: Writer, operation: Flatten) -> None:
    writer.code.line(
        "r = {flat}(r)", flat=flattened(operation, Field("flatten", operation.field or ""))
    )


def changes_of(
    writer: Writer, operation: Cast | Hash | Mask
) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """The fields that an operation replaces, and by which function where they are not null."""
    if isinstance(operation, Cast):
        for name, to in operation.pairs:
            yield name, _caster(to, writer.field(name, "cast"), csv=writer.csv)
    elif isinstance(operation, Hash):
        for name, reference in operation.pairs:
            yield name, hashed(reference, writer.field(name, "hash"))
    else:
        for name, kept in operation.pairs:
            yield name, masked(kept, writer.field(name, "mask"))


def _change(writer: Writer, operation: Cast | Hash | Mask) -> None:
    for name, change in changes_of(writer, operation):
        writer.change(name, change)


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
    Cast: _change,
    Default: _default,
    Trim: _trim,
    Case: _case,
    Hash: _change,
    Mask: _change,
    Filter: _filter,
    Compute: _compute,
    Unnest: _unnest,
}
