"""A mapping as one function of a chunk of records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from transforms.mapping.compiling import uniform
from transforms.mapping.compiling.code import Code
from transforms.mapping.compiling.templates import Writer
from transforms.mapping.compiling.uniform import MOST_FIELDS, Shape
from transforms.mapping.lineage import Lineage
from transforms.mapping.objects import record_of
from transforms.mapping.operations import Filter, Operation, Unnest
from transforms.mapping.origin_values import Origins

Run = Callable[[Sequence[Any], Sequence[int], Sequence[Any], Origins, list[Any]], None]
"""Takes items, the indices of their records, all values of the batch, and where these come from.

It adds a value to the list for each item: ``templates.GONE`` for a record that is left out, and a list
of values for each record if it unnests. It raises ``Reject`` at the first record that does not fit. The
items of a function for any records are the indices; those of one for records with certain fields
are tuples of these fields.
"""

FEWEST = 20
"""Fewer records are not worth a function for the fields that they have."""

MOST_SHAPES = 50
"""How many such functions a part of a mapping has at most."""


class Part:
    """The part of a mapping up to its last ``unnest``, or what follows.

    Attributes:
        unnests: Whether it may make several records of one.
        filters: Whether it may leave records out.
    """

    def __init__(
        self, operations: Sequence[Operation], lineage: Lineage, start: int, *, csv: bool
    ) -> None:
        self._operations = operations
        self._lineage = lineage
        self._start = start
        self._csv = csv
        self._run = self._for_any()
        self._runs: dict[Shape, Run | None] = {}
        self.unnests = any(map(_unnests, operations))
        self.filters = any(isinstance(operation, Filter) for operation in operations)

    def of(self, indices: Sequence[int], values: Sequence[Any]) -> tuple[Run, Sequence[Any]]:
        """The function for the records at ``indices``, a range, and what it takes for each."""
        if len(indices) < FEWEST or type(values[indices[0]]) is not dict:
            return self._run, indices
        records = values[indices[0] : indices[-1] + 1]
        shape = tuple(records[0])
        if shape not in self._runs and len(self._runs) < MOST_SHAPES:
            self._runs[shape] = self._for_shape(shape)
        run = self._runs.get(shape)
        if run is None:
            return self._run, indices
        try:
            items = list(map(itemgetter(*shape), records))
            alike = set(map(len, records)) == {len(shape)}
        except (KeyError, TypeError):  # other fields, or none
            alike = False
        return (run, items) if alike else (self._run, indices)

    def _for_any(self) -> Run:
        """The function for any records."""
        code = Code("def run(items, indices, values, origins, out):")
        code.raw("add = out.append")
        code.raw("for i in items:")
        code.indent()
        code.raw("r = values[i]")
        code.line("r = r.copy() if type(r) is dict else {record_of}(r)", record_of=record_of)
        writer = Writer(code, self._lineage, self._csv, self._start)
        return self._ended(writer, self._operations)

    def _for_shape(self, shape: Shape) -> Run | None:
        """The function for records with the fields ``shape``; None if there is none."""
        if not 1 < len(shape) <= MOST_FIELDS or not all(type(name) is str for name in shape):
            return None
        code = Code("def run(items, indices, values, origins, out):")
        code.raw("add = out.append")
        variables = ", ".join(f"f{at}" for at in range(len(shape)))
        code.raw(f"for i, ({variables}) in zip(indices, items):")
        code.indent()
        writer = Writer(code, self._lineage, self._csv, self._start)
        left = uniform.written(self._operations, shape, writer, self._run)
        return None if left is None else self._ended(writer, left)

    def _ended(self, writer: Writer, operations: Sequence[Operation]) -> Run:
        """The function that is written so far, with ``operations`` on ``r`` behind that."""
        code = writer.code
        for operation in operations:
            writer.write(operation)
        if writer.inside:
            code.raw("several.append(r)")
            code.outside()
            code.raw("add(several)")
        else:
            code.raw("add(r)")
        run: Run = code.function("run")
        return run


def compiled(operations: Sequence[Operation], *, csv: bool) -> tuple[Part, ...]:
    """A mapping, for records of CSV or of another format; in two parts if it unnests.

    What follows the last ``unnest`` is done with each record that comes out of it, which therefore
    fails alone.

    Raises:
        ConfigError: A secret that it needs cannot be resolved.
    """
    lineage = Lineage(operations)
    last = max((at + 1 for at, each in enumerate(operations) if _unnests(each)), default=0)
    return tuple(
        Part(operations[start:end], lineage, start, csv=csv)
        for start, end in ((0, last), (last, len(operations)))
        if end > start
    )


def _unnests(operation: Operation) -> bool:
    return isinstance(operation, Unnest)
