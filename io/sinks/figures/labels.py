"""Labels of sources: the URIs that runs were given, instead of thousands of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import sqlalchemy as sa

from sinks.database.tables import runs

MOST_SOURCES = 50
"""How many URIs become labels, those of each pipeline's newest run first; the rest is ``OTHER``."""

OTHER = "other"
"""The label of sources that match nothing."""

Pattern = tuple[str, str | None]
"""Names of sources, with ``*`` for any text, and the label of those that match; None for the name."""

_RUNS = 50


@dataclass(frozen=True, slots=True)
class Labels:
    """How sources are labelled.

    Attributes:
        patterns: The first one that a name matches has its label.
        own: By pipeline, the one of ``patterns`` that names what it reads, if there is one that no
            other can come before. Most of its sources are of this one.
    """

    patterns: Sequence[Pattern]
    own: Mapping[str, Pattern] = field(default_factory=dict)

    def of(self, source: str) -> str:
        """The label of a source."""
        for pattern, label in self.patterns:
            if _compiled(pattern).fullmatch(source):
                return source if label is None else label
        return OTHER

    def pattern_of(self, source: str) -> str:
        """A name that has the label of ``source``, and that many sources share, if there is one.

        It is the pattern that decides the label: whatever other pattern the text of that one
        matches, every name that it stands for matches too.
        """
        for pattern, label in self.patterns:
            if _compiled(pattern).fullmatch(source):
                return source if label is None else pattern
        return source


def labels_of(connection: sa.Connection, topics: str) -> Labels:
    """How the sources of the ledger are labelled.

    Args:
        connection: To the database.
        topics: A pattern of names that are labels themselves.
    """
    firsts: dict[str, str] = {}
    uris: dict[str, str | None] = {topics: None}
    for query in (_NEWEST_OF_EACH, _NEWEST):
        for pipeline, options in connection.execute(query):
            for entry in options.get("sources") or ():
                if len(uris) <= MOST_SOURCES:
                    uris.setdefault(entry["pattern"], entry["uri"])
                    firsts.setdefault(pipeline, entry["pattern"])
    # What is longer says more: a folder of a folder comes before it.
    patterns = sorted(uris.items(), key=_specific)
    own = {}
    for pipeline, first in firsts.items():
        place = patterns.index((first, uris[first]))
        if first != topics and not any(_overlap(first, before) for before, _ in patterns[:place]):
            own[pipeline] = patterns[place]
    return Labels(patterns, own)


def _overlap(one: str, other: str) -> bool:
    """Whether a name may match both patterns, as far as their beginnings tell."""
    beginnings = one.split("*", 1)[0], other.split("*", 1)[0]
    return beginnings[0].startswith(beginnings[1]) or beginnings[1].startswith(beginnings[0])


@lru_cache(maxsize=MOST_SOURCES + 1)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _specific(entry: Pattern) -> tuple[int, str]:
    return -len(entry[0]), entry[0]


_OPTIONS = sa.select(runs.c.pipeline, runs.c.options).order_by(runs.c.started_at.desc(), runs.c.id)
_NEWEST = _OPTIONS.limit(_RUNS)
_LAST = (
    sa.select(runs.c.pipeline, sa.func.max(runs.c.started_at).label("started_at"))
    .group_by(runs.c.pipeline)
    .subquery()
)
# However long ago it ran: otherwise its label would be lost once others have run often enough.
_NEWEST_OF_EACH = _OPTIONS.join(
    _LAST,
    sa.and_(runs.c.pipeline == _LAST.c.pipeline, runs.c.started_at == _LAST.c.started_at),
).limit(MOST_SOURCES)
