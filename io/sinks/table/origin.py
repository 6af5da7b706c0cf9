"""The origin of a record as the key of its row, where its fields have none.

One number tells apart the records of one offset: the elements of a message, or those that a step made
of one. Where both have been at work, or two steps, a key is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from sinks.table.target import ELEMENT_COLUMNS, ORIGIN_COLUMNS
from sinks.text.encoding import all_escaped
from transforms.batch.expansion import ROUTES, Expansion, number_of
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import SinkFailed

AMBIGUOUS = "ambiguous_origin"
"""Category of a record that one number cannot tell from the others of its offset."""


class AmbiguousOrigin(Exception):
    """A table without a key would need two numbers to tell this record from others."""


def without_routes(batch: RecordBatch) -> RecordBatch:
    """``batch`` as if routes had made nothing of its records: each is the only one in its table."""
    if batch.expansions is None:
        return batch
    expansions = list(map(_without_routes, batch.expansions))
    return replace(batch, expansions=expansions if any(expansions) else None)


def _without_routes(expansion: Expansion) -> Expansion:
    return tuple(branch for branch in expansion if not branch.step.startswith(ROUTES))


def without_ambiguous(batch: RecordBatch, *, routes: bool = True) -> RecordBatch:
    """``batch`` without the records that one number cannot tell apart, which fail.

    Args:
        batch: Records for one table.
        routes: Whether several routes may have made several rows of this table of one record.
    """
    if batch.expansions is None:
        return batch
    elements = batch.elements or [None] * len(batch.raws)
    good: list[int] = []
    failures: list[Failure] = []
    for index, (element, whole) in enumerate(zip(elements, batch.expansions, strict=True)):
        expansion = whole if routes else _without_routes(whole)
        if len(expansion) + (element is not None and bool(expansion)) <= 1:
            good.append(index)
            continue
        how = (
            "an element of its message"
            if len(expansion) == 1
            else "one of several that a step made"
        )
        error = AmbiguousOrigin(
            f"step {expansion[-1].step!r} made several records of {how}, and the table has no key that "
            f"tells them apart; give a key (--key FIELD) of the records' own"
        )
        failures.append(Failure.of(batch.record(index), "write", AMBIGUOUS, error))
    if not failures:
        return batch
    values = None if batch.values is None else [batch.values[index] for index in good]
    return batch.keep(good, values, failures)


def cells_of(
    dialect: sa.Dialect, key: Sequence[str], batches: Sequence[RecordBatch]
) -> dict[str, list[Any]]:
    """The cells of the columns ``key``, one for each record of ``batches``.

    Raises:
        SinkFailed: Records have numbers, and the key has no column for them.
    """
    names = ELEMENT_COLUMNS if len(key) == len(ELEMENT_COLUMNS) else ORIGIN_COLUMNS
    origin: dict[str, list[Any]] = {name: [] for name in names}
    for batch in batches:
        places = all_escaped(dialect, (batch.span.source, batch.span.partition))
        cells = ([place] * len(batch.raws) for place in places)
        for name, column in zip(ORIGIN_COLUMNS, (*cells, batch.offsets), strict=True):
            origin[name].extend(column)
        numbers = _numbers(batch)
        if names is ELEMENT_COLUMNS:
            origin[ELEMENT_COLUMNS[-1]].extend(numbers or [0] * len(batch.raws))
        elif any(numbers):
            what = "message" if batch.expansions is None else "record"
            raise SinkFailed(
                f"several records of one {what} of {batch.span.source} would have one origin in the "
                "table; give a key, or SqlConfig.of(elements=True) and a table with "
                f"{ELEMENT_COLUMNS[-1]}"
            )
    return origin


def _numbers(batch: RecordBatch) -> list[int]:
    """The number of each record; empty if none has any."""
    if batch.expansions is not None:
        elements = batch.elements or [None] * len(batch.raws)
        return list(map(number_of, elements, batch.expansions))
    return [element or 0 for element in batch.elements or ()]
