"""Records by what became of them, from the counts of every table and of forgotten ledgers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import counts, forgotten
from sinks.figures.labels import OTHER, Labels, Pattern
from sinks.figures.sample import Sample
from transforms.batch.counts import COUNTS

OUTCOMES = ("inserted", "updated", "deleted", "duplicates", "filtered")
"""The outcomes that nothing takes back."""

STATES = ("dead", "retrying")
"""The outcomes that a replay or another attempt takes back."""

_NUMBERS = (*COUNTS, "purged", "dead_letters")


def totals(connection: sa.Connection, labels: Labels) -> Iterator[Sample]:
    """Records by pipeline, table, source and outcome.

    Args:
        connection: To the database.
        labels: How sources are labelled.
    """
    now = _sums(connection, counts, labels)
    before = _sums(connection, forgotten, labels)
    for key in sorted(now.keys() | before.keys()):
        here = now.get(key, dict.fromkeys(_NUMBERS, 0))
        gone = before.get(key, dict.fromkeys(_NUMBERS, 0))
        of_key = dict(zip(("pipeline", "target", "source"), key, strict=True))
        ever = {name: here[name] + gone[name] for name in _NUMBERS}
        yield Sample("sluice_records_read_total", ever["read"], of_key)
        yield Sample("sluice_records_expanded_total", ever["expanded"], of_key)
        for outcome in OUTCOMES:
            more = {**of_key, "outcome": outcome}
            yield Sample("sluice_records_total", ever[outcome], more)
        yield Sample("sluice_dead_letters_total", ever["dead_letters"], of_key)
        present = {"dead": here["dead"] - here["purged"], "retrying": here["retrying"]}
        for state in STATES:
            yield Sample("sluice_records", present[state], {**of_key, "state": state})


_Sums = dict[tuple[str, str, str], dict[str, int]]


def _sums(connection: sa.Connection, table: sa.Table, labels: Labels) -> _Sums:
    """The sums of each label: at first of what pipelines read now, then of the rest, if there is any.

    Both halves are of one statement where all sources are of the first kind, as a rule.
    """
    own = _is_own(connection, table, labels).label("own")
    place = (table.c.pipeline, table.c.target)
    sums: _Sums = defaultdict(lambda: dict.fromkeys(_NUMBERS, 0))
    rest = False
    numbers = [sa.func.sum(table.c[name]) for name in _NUMBERS]
    # By a condition: Postgres knows that it makes two groups, and lets several processes add up.
    query = sa.select(*place, own, *numbers).group_by(*place, sa.text("own"))
    for pipeline, target, is_own, *row in connection.execute(query):
        if is_own:
            _add(sums, (pipeline, target, labels.own[pipeline][1] or OTHER), row)
        rest = rest or not is_own
    if rest:
        dialect_of(connection).group_in_memory(connection)
        label = _label(connection, table.c.source, labels.patterns).label("label")
        # By the label alone: a database may take the parameters of the expression for others.
        query = sa.select(*place, label, *numbers).group_by(*place, sa.text("label"))
        for pipeline, target, source, *row in connection.execute(query.where(sa.not_(own.element))):
            _add(sums, (pipeline, target, source), row)
    return sums


def _add(sums: _Sums, key: tuple[str, str, str], row: Sequence[Any]) -> None:
    of_key = sums[key]
    for name, number in zip(_NUMBERS, row, strict=True):
        of_key[name] += int(number)


def _is_own(connection: sa.Connection, table: sa.Table, labels: Labels) -> sa.ColumnElement[bool]:
    matches = dialect_of(connection).matches
    cases = [
        (table.c.pipeline == pipeline, matches(table.c.source, pattern))
        for pipeline, (pattern, _) in labels.own.items()
    ]
    return sa.case(*cases, else_=sa.false()) if cases else sa.false()


def _label(
    connection: sa.Connection, column: sa.ColumnElement[str], patterns: Sequence[Pattern]
) -> sa.ColumnElement[Any]:
    if not patterns:
        return sa.literal(OTHER)
    matches = dialect_of(connection).matches
    cases = [
        (matches(column, pattern), column if label is None else sa.literal(label))
        for pattern, label in patterns
    ]
    return sa.case(*cases, else_=sa.literal(OTHER))
