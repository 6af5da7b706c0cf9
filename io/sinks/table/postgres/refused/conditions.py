"""Rows that break the conditions of their table, found among many by one query.

NOT NULL, CHECK constraints and foreign keys can be asked about. A few rows that break the same ones
are then tried: the others are refused with the same words, with values of their own. Where
that cannot be told for certain, no row is judged here.
"""

# ruff: noqa: S608 - identifiers are quoted, values formatted as integers

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import psycopg2

from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.postgres.session import Session
from sinks.table.postgres.staging_table import StagingTable
from sinks.table.target import ForeignKey, Target
from sinks.text.quoting import quote, quoted

Trying = Callable[[Sequence[int]], Mapping[int, Refusal]]
"""Tries staged rows, by number, and says why which of them are refused."""

_MOST_CONDITIONS = 60  # bits of a number
_MOST_KINDS = 16
_SHOWN_BYTES = 64  # of a value, in what PostgreSQL says of a failing row (execMain.c)
_TOGETHER = ("23502", "23514")  # not_null_violation, check_violation: the whole row is shown
_MISSING = "23503"


class _Broken(NamedTuple):
    """A row that breaks conditions.

    Attributes:
        number: Its number.
        kind: Which conditions, one bit each.
        shown: What PostgreSQL shows of it: the row, or the values of the foreign key.
    """

    number: int
    kind: tuple[int, int]
    shown: str


def can_ask(target: Target, names: Sequence[str]) -> bool:
    """Whether a query can tell which rows break conditions, and what PostgreSQL says of them."""
    left_out = [column for column in target.columns if column.name not in names]
    interplay = target.interplay
    return (
        interplay.checks is not None
        and not (target.partitioned or target.generated or interplay.rewriting)
        # What defaults make of a row is not known before it is written.
        and not any(column.has_default for column in left_out)
    )


def refusals(
    session: Session,
    target: Target,
    table: StagingTable,
    names: Sequence[str],
    span: tuple[int, int],
    tried: Trying,
) -> dict[int, Refusal]:
    """What the target says of staged rows that break its conditions, by the row's number.

    A row that is left out may be refused as well.

    Args:
        session: In the transaction that has staged the rows.
        target: The table that they are for; ``can_ask`` is true of it.
        table: Where they are staged.
        names: Their columns.
        span: The numbers of the first row and of the one after the last.
        tried: Tries some of them.

    Raises:
        psycopg2.Error: The transaction cannot go on.
    """
    statement = broken_statement(target, table, names, span)
    if statement is None:
        return {}
    try:
        with session.savepoint("conditions"):
            rows = session.query(statement)
    except psycopg2.Error as error:
        if not session.undoes(error):
            raise
        return {}
    kinds: dict[tuple[int, int], list[_Broken]] = {}
    for number, broken, missing, shown in rows:
        kind = (int(broken), 0 if broken else int(missing))
        if shown is not None:
            kinds.setdefault(kind, []).append(_Broken(int(number), kind, shown))
    frequent = sorted(kinds.values(), key=len, reverse=True)[:_MOST_KINDS]
    samples = {row.number for alike in frequent for row in _samples(alike)}
    answers = tried(sorted(samples))
    judged: dict[int, Refusal] = {}
    for alike in frequent:
        judged.update(_worded(alike, answers))
    judged.update(answers)
    return judged


def _worded(alike: Sequence[_Broken], answers: Mapping[int, Refusal]) -> dict[int, Refusal]:
    """What is said of rows that break the same conditions, by what is said of two of them."""
    first, other = _samples(alike)
    said = answers.get(first.number)
    if said is None or len(alike) < 3:
        return {}
    around = _around(said, first)
    if around is None or answers.get(other.number) != _like(said, around, other):
        return {}
    return {row.number: _like(said, around, row) for row in alike}


def _samples(alike: Sequence[_Broken]) -> tuple[_Broken, _Broken]:
    """The first row and, if there is one, another with other values."""
    first = alike[0]
    return first, next((row for row in reversed(alike) if row.shown != first.shown), alike[-1])


def _around(said: Refusal, row: _Broken) -> tuple[str, str] | None:
    """What stands before and behind that which is shown of a row; None if that is not clear."""
    if said.sqlstate in _TOGETHER and row.kind[0]:
        mark = f"({row.shown})"
    elif said.sqlstate == _MISSING and not row.kind[0] and row.kind[1].bit_count() == 1:
        mark = f"=({row.shown})"
    else:
        return None
    before, sign, after = said.detail.partition(mark)
    if not sign or mark in after:
        return None
    # The mark's own bracket and sign stay outside.
    return before + mark[: -len(row.shown) - 1], ")" + after


def _like(said: Refusal, around: tuple[str, str], row: _Broken) -> Refusal:
    return said._replace(detail=f"{around[0]}{row.shown}{around[1]}")


def broken_statement(
    target: Target, table: StagingTable, names: Sequence[str], span: tuple[int, int]
) -> str | None:
    """Find the rows that break conditions: number, which of the row's, which keys, what is shown.

    None if there are no conditions, or too many.
    """
    staged = table.quoted
    own = [
        f"{staged}.{quote(c.name)} IS NULL"
        for c in target.columns
        if c.not_null and c.name in names
    ]
    lacking = [c.name for c in target.columns if c.required and c.name not in names]
    own += ["true"] * bool(lacking)
    own += [f"({condition}) IS FALSE" for condition in target.interplay.checks or ()]
    keys = _keys(target, names)
    if not (own or keys) or len(own) + len(keys) > _MOST_CONDITIONS:
        return None
    missing = [_is_missing(key, staged) for key in keys]
    row = ", ".join(
        _shown(f"x.{quote(c.name)}") if c.name in names else "'null'" for c in target.columns
    )
    shown = f"concat_ws(', ', {row})"
    if keys:
        # A key that is there, or comes again, may make of an INSERT something else.
        same = " AND ".join(f"t.{quote(name)} = x.{quote(name)}" for name in target.key)
        values = "".join(
            f" WHEN {1 << place} THEN CASE WHEN EXISTS (SELECT FROM {quoted(target.table)} t "
            f"WHERE {same}) OR x.sluice_repeated > 1 THEN NULL ELSE "
            f"concat_ws(', ', {', '.join(f'x.{quote(name)}' for name in key.columns)}) END"
            for place, key in enumerate(keys)
        )
        shown = (
            f"CASE WHEN x.sluice_broken > 0 THEN {shown} ELSE CASE x.sluice_missing{values} END END"
        )
    key_columns = ", ".join(f"{staged}.{quote(name)}" for name in target.key)
    repeated = f"count(*) OVER (PARTITION BY {key_columns})" if keys else "0"
    return (
        f"SELECT x.{table.ordinal}, x.sluice_broken, x.sluice_missing, {shown} FROM ("
        f"SELECT *, {_bits(own)} AS sluice_broken, {_bits(missing)} AS sluice_missing, "
        f"{repeated} AS sluice_repeated FROM {table.rows} "
        f"WHERE {table.ordinal} BETWEEN {span[0]:d} AND {span[1] - 1:d} OFFSET 0) x "
        f"WHERE x.sluice_broken > 0 OR x.sluice_missing > 0 ORDER BY 1"
    )


def _keys(target: Target, names: Sequence[str]) -> list[ForeignKey]:
    """The foreign keys that can be asked about."""
    if target.interplay.entangled:
        return []  # something else may refuse a row before its keys are looked at
    return [key for key in target.interplay.foreign_keys if set(key.columns) <= set(names)]


def _is_missing(key: ForeignKey, staged: str) -> str:
    """Whether a row's foreign key refers to no row."""
    present = " AND ".join(f"{staged}.{quote(name)} IS NOT NULL" for name in key.columns)
    same = " AND ".join(
        f"sluice_parent.{quote(other)} = {staged}.{quote(name)}"
        for name, other in zip(key.columns, key.others, strict=True)
    )
    return f"{present} AND NOT EXISTS (SELECT FROM {key.parent} AS sluice_parent WHERE {same})"


def _bits(conditions: Sequence[str]) -> str:
    """A number with a bit for each condition that is met."""
    parts = [
        f"CASE WHEN {condition} THEN {1 << n}::bigint ELSE 0 END"
        for n, condition in enumerate(conditions)
    ]
    return " + ".join(parts) or "0"


def _shown(column: str) -> str:
    """A value as PostgreSQL shows it of a failing row: as many whole characters as fit."""
    text = f"concat({column})"
    longest = (
        f"(SELECT max(n) FROM generate_series({_SHOWN_BYTES // 4}, {_SHOWN_BYTES}) n "
        f"WHERE octet_length(left({text}, n)) <= {_SHOWN_BYTES})"
    )
    return (
        f"CASE WHEN {column} IS NULL THEN 'null' "
        f"WHEN octet_length({text}) <= {_SHOWN_BYTES} THEN {text} "
        f"ELSE left({text}, {longest}) || '...' END"
    )
