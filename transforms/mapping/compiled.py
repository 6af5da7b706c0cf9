"""A mapping as one function of a chunk of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.mapping.code import Code
from transforms.mapping.lineage import Lineage
from transforms.mapping.objects import record_of
from transforms.mapping.operations import Filter, Operation, Unnest
from transforms.mapping.origin_values import Origins
from transforms.mapping.templates import Writer

Run = Callable[[Iterable[int], Sequence[Any], Origins, list[Any]], None]
"""Takes indices of records, all values of the batch, and where these come from.

It adds a value to the list for each index: ``templates.GONE`` for a record that is left out, and a list
of values for each record if it unnests. It raises ``Reject`` at the first record that does not fit.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a mapping up to its last ``unnest``, or what follows.

    Attributes:
        run: What it does.
        unnests: Whether it may make several records of one.
        filters: Whether it may leave records out.
    """

    run: Run
    unnests: bool
    filters: bool


def compiled(operations: Sequence[Operation], *, csv: bool) -> tuple[Part, ...]:
    """A mapping, for records of CSV or of another format; in two parts if it unnests.

    What follows the last ``unnest`` is done with each record that comes out of it, which therefore
    fails alone.

    Raises:
        ConfigError: A secret that it needs cannot be resolved.
    """
    lineage = Lineage(operations)
    last = max((at + 1 for at, each in enumerate(operations) if _unnests(each)), default=0)
    parts = []
    for start, end in ((0, last), (last, len(operations))):
        if end > start:
            parts.append(_part(operations[start:end], lineage, start, csv=csv))
    return tuple(parts)


def _part(operations: Sequence[Operation], lineage: Lineage, start: int, *, csv: bool) -> Part:
    unnests = any(map(_unnests, operations))
    filters = any(isinstance(operation, Filter) for operation in operations)
    code = Code("def run(indices, values, origins, out):")
    code.line("add = out.append")
    code.line("for i in indices:")
    code.indent()
    code.line("r = values[i]")
    code.line("r = r.copy() if type(r) is dict else {record_of}(r)", record_of=record_of)
    writer = Writer(code, lineage, csv, at=start)
    for operation in operations:
        writer.write(operation)
    code.line("several.append(r)" if unnests else "add(r)")
    if unnests:
        code.outside()
        code.line("add(several)")
    return Part(code.function("run"), unnests, filters)


def _unnests(operation: Operation) -> bool:
    return isinstance(operation, Unnest)
