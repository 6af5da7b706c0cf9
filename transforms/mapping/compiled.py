"""A mapping as one function of a chunk of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from transforms.mapping.code import Code
from transforms.mapping.lineage import Lineage
from transforms.mapping.objects import record_of
from transforms.mapping.operations import Operation, Unnest
from transforms.mapping.origin_values import Origins
from transforms.mapping.templates import Writer

Run = Callable[[Iterable[int], Sequence[Any], Origins], list[Any]]
"""Takes indices of records, all values of the batch, and where these come from.

It gives a value for each index: ``templates.GONE`` for a record that is left out, and a list of values for each
record if the mapping unnests. It raises ``Reject`` at the first record that does not fit.
"""


def compiled(operations: Sequence[Operation], *, csv: bool) -> Run:
    """The function of a mapping, for records of CSV or of another format.

    Raises:
        ConfigError: A secret that it needs cannot be resolved.
    """
    code = Code("def run(indices, values, origins):")
    code.line("out = []")
    code.line("add = out.append")
    code.line("for i in indices:")
    code.indent()
    code.line("r = values[i]")
    code.line("r = r.copy() if type(r) is dict else {record_of}(r)", record_of=record_of)
    writer = Writer(code, Lineage(operations), csv)
    for operation in operations:
        writer.write(operation)
    code.line("several.append(r)" if unnests(operations) else "add(r)")
    while code.inside:
        code.dedent()
    code.line("return out")
    run: Run = code.function("run")
    return run


def unnests(operations: Sequence[Operation]) -> bool:
    """Whether one record may become several."""
    return any(isinstance(operation, Unnest) for operation in operations)

