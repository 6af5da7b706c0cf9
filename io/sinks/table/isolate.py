"""Find the few rows that make a statement over many fail, at about twice its cost."""

from __future__ import annotations

import re
import sqlite3
from bisect import insort
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Literal

import psycopg2
import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.table.evidence import Evidence
from sinks.table.rows import Poison

Blame = Literal["row", "doubtful", "nobody"]
"""Whose an error is: one row's, perhaps one row's, or no row's."""

SMALLEST_PIECE = 64  # rows tried together after a poison row

FEW_ROWS = 4  # that are as well tried one by one
_FEW = 4  # refused rows
_APART = 32  # rows from one that is refused to the next

_ERRORS = (psycopg2.Error, sqlite3.Error, sa.exc.SQLAlchemyError, OverflowError, ValueError)

# "line" in the language of the server.
_COPY_LINE = re.compile(r"^COPY .*?, \w+ (\d+)", re.MULTILINE | re.DOTALL)


def isolate(
    count: int,
    run: Callable[[int, int], int],
    fail: Callable[[int, BaseException], None],
    blame: Callable[[BaseException], Blame],
    evidence: Evidence,
    skip: Collection[int] = (),
    suspects: Callable[[BaseException, int, int], Collection[int]] | None = None,
) -> set[int]:
    """Run over the rows ``[0, count)`` in as few pieces as the poison among them allows.

    An error that names its line, as COPY's do, makes the piece before that line run once more.
    Otherwise rows that are suspected are tried alone, and a piece without any is halved. Pieces grow again while all goes well, so that scattered poison
    rows cost about twice the work, not one pass each.

    Args:
        count: The number of rows.
        run: Does the work for ``[start, end)``, or undoes it and raises. Returns how many rows
            took effect.
        fail: Takes each row that is to blame, alone, with its error.
        blame: Whose an error is; nobody's is raised.
        evidence: Gets what took effect, and raises doubtful errors of too many rows.
        skip: Rows to leave out.
        suspects: Asked once, with the error of the rows ``[start, end)`` and with ``start`` and
            ``count``, which of these are probably to blame. It costs time to be wrong, no more.

    Returns:
        The rows that failed.
    """
    failed: set[int] = set()
    left_out = sorted({row for row in skip if row < count})
    passed = 0  # how many rows of left_out lie behind
    position = 0
    size = count
    suspect = 0  # the rows from position to here are known to contain poison
    alone: deque[int] | None = None if suspects else deque()
    while position < count:
        while passed < len(left_out) and left_out[passed] < position:
            passed += 1
        stop = left_out[passed] if passed < len(left_out) else count
        if position == stop:
            position += 1
            continue
        while alone and alone[0] < position:
            alone.popleft()
        if alone:
            stop = min(stop, alone[0]) if alone[0] > position else position + 1
        if position < suspect:
            size = max(1, (suspect - position) // 2)
        end = min(stop, position + size)
        try:
            effect = run(position, end)
        except _ERRORS as error:
            verdict = blame(error)
            if verdict == "nobody":
                raise
            line = copy_line_of(error)
            if line is not None and position + line <= end:
                row = position + line - 1
            elif end - position == 1:
                row = position
            elif alone is None and suspects and (rows := suspects(error, position, count)):
                alone, size = deque(sorted(rows)), count
                continue
            else:
                suspect = end
                continue
            if verdict == "doubtful":
                evidence.doubt(error)
            failed.add(row)
            fail(row, error)
            insort(left_out, row)
            expected = alone is not None and bool(alone) and alone[0] == row
            size = count if expected else max(SMALLEST_PIECE, 2 * (row - position))
            suspect = position
        else:
            evidence.passed(effect)
            position = end
            size *= 2
    return failed


def blame_of(error: BaseException) -> Blame:
    """Whose ``error`` is, as far as the error itself tells."""
    verdict = classify(error)
    if verdict.kind == "record":
        return "row"
    return "doubtful" if verdict.doubtful else "nobody"


def copy_line_of(error: BaseException) -> int | None:
    """The 1-based line that an error of COPY names, or None."""
    context = getattr(getattr(error, "diag", None), "context", None)
    match = _COPY_LINE.search(context) if context else None
    return int(match[1]) if match else None


def poison_of(index: int, error: BaseException) -> Poison:
    """The record at ``index``, which the database refuses with ``error``."""
    verdict = classify(error)
    transient = verdict.kind == "transient"
    category = "contention" if transient else verdict.category or verdict.doubtful
    return Poison(index, category, error, verdict.message, verdict.sqlstate, transient)


def are_dense(poison: Sequence[Poison]) -> bool:
    """Whether so many of the rows so far are refused that the next ones are better found together."""
    few = len(poison) < _FEW
    return not few and poison[-1].index - poison[0].index < _APART * len(poison)
