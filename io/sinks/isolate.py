"""Find the few rows that make a statement over many fail, at about twice its cost."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection

import psycopg2
import sqlalchemy as sa

SMALLEST_PIECE = 64  # rows tried together after a poison row was found

_COPY_LINE = re.compile(r"^COPY .*?, line (\d+)", re.MULTILINE | re.DOTALL)


def isolate(
    count: int,
    run: Callable[[int, int], None],
    fail: Callable[[int, BaseException], None],
    blames_row: Callable[[BaseException], bool],
    skip: Collection[int] = (),
) -> set[int]:
    """Run over the rows ``[0, count)`` in as few pieces as the poison among them allows.

    An error that names its line (COPY's do) costs the piece before it once more; others
    are closed in on by halving. Pieces grow again while all goes well, so that poison rows
    here and there cost about twice the work, not one pass each.

    Args:
        count: How many rows there are.
        run: Does the work for ``[start, end)``, or undoes it and raises.
        fail: Told of each row that stands alone with its error.
        blames_row: Whether an error is a row's; any other is raised.
        skip: Rows to leave out.

    Returns:
        The rows that failed.
    """
    failed: set[int] = set()
    stops = sorted(skip)
    next_stop = 0
    position = 0
    size = count
    named: int | None = None
    while position < count:
        while next_stop < len(stops) and stops[next_stop] < position:
            next_stop += 1
        stop = stops[next_stop] if next_stop < len(stops) else count
        if named is not None:
            stop = min(stop, named)
        if position == stop:
            named = None if named == position else named
            position += 1
            continue
        end = min(stop, position + size)
        try:
            run(position, end)
        except (
            psycopg2.Error,
            sqlite3.Error,
            sa.exc.SQLAlchemyError,
            OverflowError,
            ValueError,
        ) as error:
            if not blames_row(error):
                raise
            line = line_of(error)
            if line is not None and position + line <= end:
                named = position + line - 1
                failed.add(named)
                fail(named, error)
                size = max(SMALLEST_PIECE, 2 * (named - position))
            elif end - position == 1:
                failed.add(position)
                fail(position, error)
                position = end
            else:
                size = (end - position) // 2
        else:
            position = end
            size *= 2
    return failed


def line_of(error: BaseException) -> int | None:
    """The 1-based line that a COPY error names, or None."""
    context = getattr(getattr(error, "diag", None), "context", None)
    match = _COPY_LINE.search(context) if context else None
    return int(match[1]) if match else None
