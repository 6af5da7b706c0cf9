"""What a comment says of a field: how many values are of which kind. No value is shown."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.proposal.sampling.column import Column
from pipelines.proposal.sampling.kinds import Kind

Where = Callable[[int], str]
"""The place of a record, by its number."""

_SHOWN = 4
_NOTHING = (Kind.NULL, Kind.EMPTY)
_ABSENT = "absent"


def evidence(column: Column, records: int, where: Where) -> str:
    """How many of ``records`` have which kind of value, the most frequent one first.

    Of the rare kinds of a mixed field it says where the first value is.
    """
    kinds = column.ranked
    parts = [_shape(kind, column) for kind in kinds]
    missing = {kind.value: column.kinds[kind] for kind in _NOTHING if column.kinds[kind]}
    if column.present < records:
        missing[_ABSENT] = records - column.present
    if not kinds:
        return ", ".join(_amount(count, records, name) for name, count in missing.items())
    said = [_amount(column.kinds[kinds[0]], records, parts[0])]
    for kind, part in list(zip(kinds, parts, strict=True))[1:_SHOWN]:
        said.append(f"{column.kinds[kind]:,} {part} (first: {where(column.first[kind])})")
    if len(kinds) > _SHOWN:
        said.append("and more")
    said += [f"{count:,} {name}" for name, count in missing.items()]
    return ", ".join(said)


def _amount(count: int, records: int, what: str) -> str:
    if count < records:
        return f"{count:,} of {records:,} are {what}"
    if records == 1:
        return f"the one record has {what}"
    return f"both are {what}" if records == 2 else f"all {records:,} are {what}"


def _shape(kind: Kind, column: Column) -> str:
    """A kind with what shows its values without showing them."""
    if kind is Kind.INTEGER:
        sign = ", some below 0" if (column.lowest or 0) < 0 else ""
        return f"{kind.value} of up to {_count(column.digits, 'digit')}{sign}"
    if kind is Kind.NUMBER and column.decimals:
        return f"{kind.value} with up to {_count(max(column.decimals), 'decimal')}"
    if kind is Kind.TEXT and column.longest:
        return f"{kind.value} of up to {_count(column.longest, 'character')}"
    if kind is Kind.ABSENCE:
        return f"words for nothing ({', '.join(sorted(column.absences))})"
    return str(kind.value)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"
