"""Conditions as functions of the records of a batch."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.errors import Reject
from transforms.mapping.expressions import Expression, condition
from transforms.mapping.field import Field
from transforms.mapping.objects import ABSENT
from transforms.route.conditions.columns import Columns, of_batch
from transforms.route.conditions.condition import (
    All,
    AnyOf,
    Check,
    Condition,
    Holds,
    Not,
    Value,
)
from transforms.route.conditions.globs import source_glob, text_glob
from transforms.route.conditions.whole_match import whole_match

CATEGORY = "condition"
"""Category of a record for which a condition cannot be evaluated."""

OF_BATCH = ("topic", "source", "path")
"""The kinds of subjects that are the same for all records of a batch."""

Predicate = Callable[[int], bool]
"""Whether the record with a number in its batch meets a condition; it may raise ``Reject``."""

Bind = Callable[[Columns], Predicate]
"""Makes the predicate for the records of a batch."""


def reduced(when: Condition, batch: RecordBatch) -> Condition | bool:
    """What is left of a condition once it is known where the batch comes from."""
    if isinstance(when, Check) and when.subject.kind in OF_BATCH:
        return _fits(when)(of_batch(when.subject, batch))
    if isinstance(when, Not):
        part = reduced(when.part, batch)
        return (not part) if isinstance(part, bool) else Not(part)
    if not isinstance(when, All | AnyOf):
        return when
    decisive = isinstance(when, AnyOf)
    left: list[Condition] = []
    for part in (reduced(part, batch) for part in when.parts):
        if part is decisive:
            return decisive
        if not isinstance(part, bool):
            left.append(part)
    if not left:
        return not decisive
    return left[0] if len(left) == 1 else type(when)(tuple(left))


def bound(when: Condition, route: str, *, csv: bool, hidden: bool) -> Bind:
    """What makes the predicate of a reduced condition.

    Args:
        when: The condition.
        route: The name of its route, for messages.
        csv: Whether the records are of CSV, whose cells are texts.
        hidden: Whether no message may show a value.
    """
    if isinstance(when, Check):
        fits, subject = _fits(when, csv=csv), when.subject

        def test(columns: Columns) -> Predicate:
            column = columns.of(subject)
            return lambda index: fits(column[index])

        return test
    if isinstance(when, Holds):
        return _expression(when, route, hidden=hidden)
    if isinstance(when, Not):
        inner = bound(when.part, route, csv=csv, hidden=hidden)

        def opposite(columns: Columns) -> Predicate:
            predicate = inner(columns)
            return lambda index: not predicate(index)

        return opposite
    binds = [bound(part, route, csv=csv, hidden=hidden) for part in when.parts]
    every = isinstance(when, All)

    def several(columns: Columns) -> Predicate:
        predicates = [bind(columns) for bind in binds]
        if every:
            return lambda index: all(predicate(index) for predicate in predicates)
        return lambda index: any(predicate(index) for predicate in predicates)

    return several


def _expression(when: Holds, route: str, *, hidden: bool) -> Bind:
    is_true = condition(Expression(when.expression), Field("condition", "", hidden))

    def bind(columns: Columns) -> Predicate:
        values = columns.batch.values or ()

        def predicate(index: int) -> bool:
            try:
                return is_true(values[index])
            except Reject as error:
                raise Reject(f"route {route}: {error.message}", CATEGORY) from None

        return predicate

    return bind


def texts_of(value: Value) -> str:
    """A value as a cell of CSV has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fits(test: Check, *, csv: bool = False) -> Callable[[Any], bool]:
    """Whether a value of its subject passes a test."""
    if test.exists is not None:
        wanted = test.exists
        return lambda value: (value is not ABSENT and value is not None) is wanted
    if test.pattern:
        match = whole_match(test.pattern)
        return lambda value: isinstance(value, str) and match(value)
    texts = {value for value in test.values if isinstance(value, str)}
    others = [value for value in test.values if not isinstance(value, str)]
    if csv:
        texts |= set(map(texts_of, others))
    glob = source_glob if test.subject.kind == "source" else text_glob
    globs = list(map(glob, test.globs))

    def fits(value: Any) -> bool:
        if isinstance(value, str):
            return value in texts or any(pattern.fullmatch(value) for pattern in globs)
        return any(_same(value, other) for other in others)

    return fits


def _same(value: Any, other: Value) -> bool:
    if isinstance(other, bool) or isinstance(value, bool):
        return value is other
    if isinstance(value, float):
        return Decimal(repr(value)) == other
    return isinstance(value, int | Decimal) and value == other
