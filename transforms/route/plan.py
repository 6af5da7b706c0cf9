"""Which routes each record of a batch meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.errors import Reject
from transforms.route.conditions.columns import Columns
from transforms.route.conditions.condition import Check, Condition, Subject
from transforms.route.conditions.predicate import Bind, bound, reduced, texts_of

Numbers = tuple[int, ...]
"""The numbers of routes, ascending."""


@dataclass(frozen=True, slots=True)
class Matches:
    """The routes that each record of a batch meets.

    Attributes:
        codes: A code for each record.
        routes: By code, the numbers of the routes.
        refused: By number of the record, why a condition cannot be evaluated for it.
        looked_at: What most routes look at, for messages, and its value in each record; None if
            there is no such subject.
    """

    codes: Sequence[int]
    routes: Sequence[Numbers]
    refused: Mapping[int, Reject] = field(default_factory=dict)
    looked_at: tuple[str, Sequence[Any]] | None = None


class Plan:
    """How the records of one source are matched.

    Routes that want certain texts of one field share a look-up, however many they are. What all
    records of the source meet, or none, is not looked at again.

    Args:
        whens: The condition of each route.
        names: The name of each route, for messages.
        batch: A batch of the source.
        hidden: Whether no message may show a value.
    """

    def __init__(
        self,
        whens: Sequence[Condition],
        names: Sequence[str],
        batch: RecordBatch,
        *,
        hidden: bool,
    ) -> None:
        csv = batch.format.name == "csv"
        left = {number: reduced(when, batch) for number, when in enumerate(whens)}
        always = tuple(number for number, when in left.items() if when is True)
        tests = {number: when for number, when in left.items() if not isinstance(when, bool)}
        self._subject = _common_subject(tests.values())
        wanted: dict[object, list[int]] = {}
        self._tests: list[tuple[int, Bind]] = []
        for number, when in tests.items():
            if (
                isinstance(when, Check)
                and when.subject == self._subject
                and _can_be_looked_up(when)
            ):
                for value in when.values:
                    wanted.setdefault(value, []).append(number)
                    if csv:
                        wanted.setdefault(texts_of(value), []).append(number)
            else:
                self._tests.append((number, bound(when, names[number], csv=csv, hidden=hidden)))
        self._routes: list[Numbers] = [always]
        codes = {always: 0}
        self._codes: dict[object, int] = {}
        for wish, numbers in wanted.items():
            routes = tuple(sorted({*always, *numbers}))
            if codes.setdefault(routes, len(codes)) == len(self._routes):
                self._routes.append(routes)
            self._codes[wish] = codes[routes]

    def matches(self, batch: RecordBatch) -> Matches:
        """The routes that each record of a batch of the source meets."""
        columns = Columns(batch)
        looked_at = None
        codes: list[int] = [0] * len(batch.raws)
        if self._subject is not None:
            code_of, column = self._codes.get, columns.of(self._subject)
            looked_at = str(self._subject), column
            try:
                codes = [code_of(value, 0) for value in column]
            except TypeError:  # an array or an object, which is none of the values
                codes = [code_of(value, 0) if _is_hashable(value) else 0 for value in column]
        if not self._tests:
            return Matches(codes, self._routes, looked_at=looked_at)
        return replace(self._tested(columns, codes), looked_at=looked_at)

    def _tested(self, columns: Columns, codes: list[int]) -> Matches:
        routes = list(self._routes)
        codes_of = {numbers: code for code, numbers in enumerate(routes)}
        tests = [(number, bind(columns)) for number, bind in self._tests]
        refused: dict[int, Reject] = {}
        for index, code in enumerate(codes):
            try:
                further = [number for number, test in tests if test(index)]
            except Reject as error:
                refused[index] = error
                continue
            if further:
                numbers = tuple(sorted((*routes[code], *further)))
                if numbers not in codes_of:
                    codes_of[numbers] = len(routes)
                    routes.append(numbers)
                codes[index] = codes_of[numbers]
        return Matches(codes, routes, refused)


def _common_subject(whens: Iterable[Condition]) -> Subject | None:
    """The subject of which most conditions want certain values."""
    counts = Counter(
        when.subject for when in whens if isinstance(when, Check) and _can_be_looked_up(when)
    )
    return counts.most_common(1)[0][0] if counts else None


def _can_be_looked_up(test: Check) -> bool:
    """Whether a test wants values that a dict tells apart as the test does.

    A dict takes 1 for true, and 0.1 of a float for another number than that of a decimal.
    """
    return bool(test.values) and not test.globs and all(map(_is_sure, test.values))


def _is_sure(value: object) -> bool:
    return type(value) is str or (type(value) is int and value not in (0, 1))


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
