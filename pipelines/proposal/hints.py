"""What may be worth a change, which only somebody who knows the data can decide: lines of comment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.proposal.names import advised, words_of
from pipelines.proposal.sampling.kinds import Kind
from pipelines.proposal.types import ProposedColumn

_OF_TIME = frozenset(
    {"at", "on", "ts", "time", "timestamp", "date", "day", "epoch", "unix", "created", "updated"}
    | {"modified", "changed", "seen", "expires", "when"}
)
_UNITS = {10: "s", 13: "ms", 16: "us", 19: "ns"}
"""The unit of the time since 1970 in a number of so many digits, from 2001 to 2286."""

_TYPED = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.SCIENTIFIC, Kind.BOOLEAN, Kind.DATE})
_TYPED |= {Kind.INSTANT, Kind.UUID}
_COMMAS = frozenset({Kind.COMMA, Kind.INTEGER, Kind.NUMBER, Kind.LONG})
_GROUPS = frozenset({Kind.GROUPED, Kind.INTEGER, Kind.NUMBER})
_TIMES = frozenset({Kind.LOCAL, Kind.INSTANT, Kind.DATE})
_DAYS = frozenset({Kind.OTHER_DATE, Kind.DATE})


def operations(columns: Sequence[ProposedColumn]) -> list[tuple[str, Mapping[str, Any], str]]:
    """Operations of a mapping that may be wanted: what each does, to which columns how, and why."""
    offers: list[tuple[str, Mapping[str, Any], str]] = []
    plain = advised(proposed.name for proposed in columns)
    if plain:
        offers.append(("rename", plain, "names that need no quotes in SQL; use them below, too"))
    for proposed in columns:
        cast = _cast(proposed.column.valued)
        if cast is not None:
            how, why = cast
            offers.append(("cast", {proposed.name: how}, why))
    return offers


def _cast(kinds: frozenset[Kind]) -> tuple[Any, str] | None:
    if Kind.COMMA in kinds and kinds <= _COMMAS:
        how: Any = {"to": "decimal", "point": ",", "thousands": "."}
        return how, "if the comma is the decimal point; then its type is number"
    if Kind.GROUPED in kinds and kinds <= _GROUPS:
        return {"to": "decimal", "thousands": ","}, "then its type is number"
    if Kind.WORD in kinds and kinds <= {Kind.WORD, Kind.BOOLEAN, Kind.INTEGER}:
        how = {"to": "boolean", "true": ["yes", "y", "on", "t"], "false": ["no", "n", "off", "f"]}
        return how, "then its type is boolean"
    if Kind.LOCAL in kinds and kinds <= _TIMES:
        how = {"to": "timestamp", "zone": "UTC"}
        return how, "name the zone of these times; then its format is date-time"
    if Kind.OTHER_DATE in kinds and kinds <= _DAYS:
        how = {"to": "date", "formats": ["iso", "%d.%m.%Y"]}
        return how, "if that is the order (%d/%m/%Y, %m/%d/%Y, …); then its format is date"
    return None


def epochs(columns: Sequence[ProposedColumn]) -> dict[str, str]:
    """The columns whose numbers may be instants, by the name that the source gives them, and their units."""
    units: dict[str, str] = {}
    for proposed in columns:
        column = proposed.column
        digits = {len(str(bound)) for bound in (column.lowest, column.highest)}
        timely = _OF_TIME.intersection(words_of(column.name))
        if (
            column.valued == {Kind.INTEGER}
            and timely
            and len(digits) == 1
            and (column.lowest or 0) > 0
        ):
            unit = _UNITS.get(digits.pop())
            if unit is not None:
                units[column.name] = unit
    return units


def absences(columns: Iterable[ProposedColumn]) -> list[str]:
    """The words for nothing that alone keep columns of CSV from a narrower type."""
    words: set[str] = set()
    for proposed in columns:
        nothing = proposed.column.valued & {Kind.ABSENCE, Kind.QUOTED_EMPTY}
        others = proposed.column.valued - nothing
        if nothing and others and others <= _TYPED:
            words.update(proposed.column.absences)
            words.update(['""'] if Kind.QUOTED_EMPTY in nothing else [])
    return sorted(words)


def thousands(columns: Iterable[ProposedColumn]) -> list[str]:
    """The columns of numbers that all have three decimals, as numbers in German with thousands have."""
    return [
        proposed.name
        for proposed in columns
        if proposed.column.valued == {Kind.NUMBER} and proposed.column.decimals == {3}
    ]
