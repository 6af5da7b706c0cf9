"""Where one record becomes several: what a step returns then, and what it makes of its batch.

Every record that a step makes stays in the batch of the one it is made of, with its offset, bytes, key,
headers and event time; its expansion says which one it is. A failed record is a job of its own. Its
next attempt begins with the bytes, and at each step that made several it goes on as the one that it
is, as long as the step makes as many as then.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from transforms.batch.expansion import Branch, Expansion
from transforms.batch.record import Failure, RecordBatch

MOST_RECORDS = 10_000
"""The most records that a step makes of one; one that would become more is a dead letter."""

CHANGED = "expansion_changed"
"""Category of a job whose step makes another number of records of it now than when it failed."""

TOO_MANY = "too_many_records"
"""Category of a record that a step makes more than ``MOST_RECORDS`` of."""

_REMEMBERED = 100  # of an expansion of at most so many records, the branches are kept for the next


class Several(tuple[Any, ...]):
    """The values that a step makes of one record, in order: ``Several([first, second])``.

    None at all leaves the record out, on purpose. One is the same as the value alone.
    """

    __slots__ = ()


class ExpansionChanged(Exception):
    """A step makes another number of records of one now than when a record failed."""


class TooManyRecords(Exception):
    """A step makes more than ``MOST_RECORDS`` records of one."""


def with_several(
    batch: RecordBatch,
    values: Sequence[Any],
    gone: Collection[int],
    failures: Sequence[Failure],
    filtered: Sequence[int],
    stage: str,
) -> RecordBatch:
    """``batch`` after a step that made several records of some, or has jobs that were made so.

    Args:
        batch: The records that the step was applied to.
        values: What it made of each: a value, or ``Several``.
        gone: Indices of the records that failed or were dropped in it.
        failures: The failures of those.
        filtered: The offsets of those that were dropped.
        stage: Names the step, in failures and in expansions.
    """
    indices: list[int] = []
    kept: list[Any] = []
    expansions: list[Expansion] = []
    ahead: list[int] = []
    refused, dropped = list(failures), list(filtered)
    for index, value in enumerate(values):
        if index in gone:
            continue
        several = value if type(value) is Several else (value,)
        expansion = () if batch.expansions is None else batch.expansions[index]
        left = 0 if batch.ahead is None else batch.ahead[index]
        taken = expansion[-left] if left else None
        if taken is not None and taken.step == stage:
            if len(several) != taken.of:
                refused.append(_changed(batch, index, stage, taken, len(several)))
                continue
            several, left = (several[taken.number],), left - 1
        elif not several:
            dropped.append(batch.offsets[index])
            continue
        elif len(several) > 1 and taken is not None:
            refused.append(_changed(batch, index, stage, taken, len(several)))
            continue
        elif len(several) > MOST_RECORDS:
            refused.append(_too_many(batch, index, stage, len(several)))
            continue
        if len(several) == 1:
            expansions.append(expansion)
        else:
            branches = _branches(len(several), stage)
            expansions += [(*expansion, *branch) for branch in branches] if expansion else branches
        indices += [index] * len(several)
        ahead += [left] * len(several)
        kept += several
    return replace(
        batch.keep(indices, kept, refused, dropped),
        expansions=expansions if any(expansions) or batch.expansions is not None else None,
        ahead=ahead if any(ahead) else None,
    )


def with_all_taken(batch: RecordBatch, stage: str) -> RecordBatch:
    """``batch`` without the jobs that have branches ahead after the last step; they fail.

    No step has made several records of them.
    """
    if batch.ahead is None or not any(batch.ahead):
        return batch
    good = [index for index, left in enumerate(batch.ahead) if not left]
    failures = [
        _changed(batch, index, stage, batch.expansions[index][-left], None)
        for index, left in enumerate(batch.ahead)
        if left and batch.expansions is not None
    ]
    values = None if batch.values is None else [batch.values[index] for index in good]
    return replace(batch.keep(good, values, failures), ahead=None)


def _changed(
    batch: RecordBatch, index: int, stage: str, taken: Branch, count: int | None
) -> Failure:
    then = f"record {taken.number} of the {taken.of:,} that step {taken.step!r} made"
    now = "0 (it leaves the record out)" if count == 0 else f"{count}"
    if count is None:
        message = f"this was {then} of one; now there is no such step, or it made no several of it"
    elif taken.step == stage:
        message = f"this was {then} of one; now the step makes {now} of it, not {taken.of:,}"
    else:
        message = (
            f"this was {then} of one; now step {stage!r} makes {now} of it, where there was 1 then"
        )
    failure = Failure.of(batch.record(index), stage, CHANGED, ExpansionChanged(message))
    return batch.of_target(failure, index)


def _too_many(batch: RecordBatch, index: int, stage: str, count: int) -> Failure:
    message = f"the step makes {count:,} records of this one; {MOST_RECORDS:,} are the most"
    failure = Failure.of(batch.record(index), stage, TOO_MANY, TooManyRecords(message))
    return batch.of_target(failure, index)


def _branches(count: int, step: str) -> Sequence[Expansion]:
    """The expansions of ``count`` records that a step made of one that had none."""
    return _remembered(count, step) if count <= _REMEMBERED else _new_branches(count, step)


def _new_branches(count: int, step: str) -> tuple[Expansion, ...]:
    return tuple((Branch(index, count, step),) for index in range(count))


_remembered = lru_cache(1_000)(_new_branches)
