"""The mapping and the JSON Schema of a route, applied to the records that it is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from transforms.batch.expansion import Expansion
from transforms.batch.pieces import joined
from transforms.batch.record import Failure, RecordBatch
from transforms.mapping import map as mapping_step
from transforms.mapping.map import Mapper
from transforms.parse.validate import validate
from transforms.route.route import Route

Cells = Mapping[str, str] | None


class Shape:
    """What a route does with its records. It may hold secrets, and is not pickled.

    Args:
        route: The route.
        step: Names its mapping where that makes several records of one.
        run: What ``@run`` stands for.
        now: What ``@now`` stands for; None for the time of the batch.

    Raises:
        ConfigError: A secret cannot be resolved.
    """

    def __init__(self, route: Route, step: str, run: str, now: datetime | None) -> None:
        mapping = route.mapping
        self._step = step
        self._mapper = None if mapping is None else Mapper(mapping, run, now, stage=step)
        self._schema = route.schema

    def shaped(self, batch: RecordBatch, target: str | None) -> RecordBatch:
        """``batch`` after the mapping and the check; its failures are of the table ``target``."""
        if self._mapper is not None:
            batch = self._mapper.map(batch)
        if self._schema is not None:
            batch = validate(batch, self._schema)
        if batch.failures:
            failures = tuple(self._of_target(failure, target) for failure in batch.failures)
            batch = replace(batch, failures=failures)
        return batch

    def _of_target(self, failure: Failure, target: str | None) -> Failure:
        stage = mapping_step.STAGE if failure.stage == self._step else failure.stage
        return replace(failure, target=target, stage=stage)


def part_of(batch: RecordBatch, rows: Sequence[int]) -> RecordBatch:
    """The records at ``rows`` alone, without what has failed before."""
    held = batch.values or ()
    return replace(batch, failures=(), filtered=()).keep(rows, [held[row] for row in rows])


def merged(batch: RecordBatch, parts: Sequence[tuple[Sequence[int], RecordBatch]]) -> RecordBatch:
    """``batch`` with its records at certain rows replaced by what became of them.

    Args:
        batch: All records.
        parts: The rows of each part, and the part as it is now.
    """
    values: list[Any] = list(batch.values or ())
    changed: list[RecordBatch] = []
    gone: set[int] = set()
    for rows, part in parts:
        if _is_whole(part, len(rows), batch):
            for row, value in zip(rows, part.values or (), strict=True):
                values[row] = value
        else:
            gone.update(rows)
            changed.append(part)
    if not changed:
        return batch.with_values(values)
    left = [row for row in range(len(values)) if row not in gone]
    rest = batch.keep(left, [values[row] for row in left])
    whole = _in_order(joined([rest, *changed]))
    return whole if any(whole.ahead or ()) else replace(whole, ahead=None)


def _is_whole(part: RecordBatch, count: int, batch: RecordBatch) -> bool:
    """Whether all records of a part are where they were; jobs may have taken branches."""
    return (
        len(part.raws) == count
        and not part.failures
        and not part.filtered
        and (part.expansions is None) == (batch.expansions is None)
        and batch.ahead is None
    )


def _in_order(batch: RecordBatch) -> RecordBatch:
    """``batch`` with its records in the order of their origins."""
    offsets = batch.offsets
    order = list(range(len(offsets)))
    if batch.elements is None and batch.expansions is None:
        order.sort(key=offsets.__getitem__)
    else:
        elements = batch.elements or [None] * len(offsets)
        expansions = batch.expansions or [()] * len(offsets)
        places = [
            (offset, element or 0, _numbers(expansion))
            for offset, element, expansion in zip(offsets, elements, expansions, strict=True)
        ]
        order.sort(key=places.__getitem__)
    values = batch.values or ()
    return batch.keep(order, [values[row] for row in order])


def _numbers(expansion: Expansion) -> tuple[int, ...]:
    return tuple(branch.number for branch in expansion)
