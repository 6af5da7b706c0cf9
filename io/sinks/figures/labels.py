"""Labels of sources: the URIs that runs were given, instead of thousands of objects."""

from __future__ import annotations

import re
from functools import lru_cache

import sqlalchemy as sa

from sinks.database.tables import runs
from sinks.figures.totals import OTHER, Patterns

MOST_SOURCES = 50
"""How many URIs become labels, those of the newest runs first; objects of others are together."""

_RUNS = 200


def patterns_of(connection: sa.Connection, topics: str) -> Patterns:
    """How the sources of the ledger are labelled.

    Args:
        connection: To the database.
        topics: A pattern of names that are labels themselves.
    """
    newest = sa.select(runs.c.options).order_by(runs.c.started_at.desc()).limit(_RUNS)
    patterns: dict[str, str | None] = {topics: None}
    for options in connection.scalars(newest):
        for entry in options.get("sources") or ():
            if len(patterns) <= MOST_SOURCES:
                patterns.setdefault(entry["pattern"], entry["uri"])
    # What is longer says more: a folder of a folder comes before it.
    return sorted(patterns.items(), key=_specific)


def label_of(source: str, patterns: Patterns) -> str:
    """The label of a source, by the first pattern that matches it."""
    for pattern, label in patterns:
        if _compiled(pattern).fullmatch(source):
            return source if label is None else label
    return OTHER


@lru_cache(maxsize=MOST_SOURCES + 1)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _specific(entry: tuple[str, str | None]) -> tuple[int, str]:
    return -len(entry[0]), entry[0]
