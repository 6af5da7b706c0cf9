"""Records by what became of them, from the counts of every table and of forgotten ledgers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.tables import counts, forgotten
from sinks.figures.sample import Sample
from transforms.batch.counts import COUNTS

Patterns = Sequence[tuple[str, str | None]]
"""Names of sources, with ``*`` for any text, and the label of those that match; None for the name."""

OTHER = "other"
"""The label of sources that match nothing."""

OUTCOMES = ("inserted", "updated", "duplicates", "filtered")
"""The outcomes that nothing takes back."""

STATES = ("dead", "retrying")
"""The outcomes that a replay or another attempt takes back."""

_NUMBERS = (*COUNTS, "purged", "dead_letters")


def totals(connection: sa.Connection, patterns: Patterns) -> Iterator[Sample]:
    """Records by pipeline, table, source and outcome.

    Args:
        connection: To the database.
        patterns: How sources are labelled; the first pattern that matches counts.
    """
    dialect_of(connection).group_in_memory(connection)
    now = _sums(connection, counts, patterns)
    before = _sums(connection, forgotten, patterns)
    for key in sorted(now.keys() | before.keys()):
        here = now.get(key, dict.fromkeys(_NUMBERS, 0))
        gone = before.get(key, dict.fromkeys(_NUMBERS, 0))
        labels = dict(zip(("pipeline", "target", "source"), key, strict=True))
        ever = {name: here[name] + gone[name] for name in _NUMBERS}
        yield Sample("sluice_records_read_total", ever["read"], labels)
        yield Sample("sluice_records_expanded_total", ever["expanded"], labels)
        for outcome in OUTCOMES:
            more = {**labels, "outcome": outcome}
            yield Sample("sluice_records_total", ever[outcome], more)
        yield Sample("sluice_dead_letters_total", ever["dead_letters"], labels)
        present = {"dead": here["dead"] - here["purged"], "retrying": here["retrying"]}
        for state in STATES:
            yield Sample("sluice_records", present[state], {**labels, "state": state})


def _sums(
    connection: sa.Connection, table: sa.Table, patterns: Patterns
) -> dict[tuple[str, str, str], dict[str, int]]:
    label = _label(connection, table.c.source, patterns).label("label")
    place = (table.c.pipeline, table.c.target, label)
    # By the label alone: a database may take the parameters of the expression for others.
    groups = (table.c.pipeline, table.c.target, sa.text("label"))
    query = sa.select(*place, *(sa.func.sum(table.c[name]) for name in _NUMBERS)).group_by(*groups)
    sums: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    for pipeline, target, source, *numbers in connection.execute(query):
        sums[pipeline, target, source] = dict(zip(_NUMBERS, map(int, numbers), strict=True))
    return sums


def _label(
    connection: sa.Connection, column: sa.ColumnElement[str], patterns: Patterns
) -> sa.ColumnElement[Any]:
    if not patterns:
        return sa.literal(OTHER)
    matches = dialect_of(connection).matches
    cases = [
        (matches(column, pattern), column if label is None else sa.literal(label))
        for pattern, label in patterns
    ]
    return sa.case(*cases, else_=sa.literal(OTHER))
