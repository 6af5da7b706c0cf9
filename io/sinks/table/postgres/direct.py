"""When to COPY directly into the table.

It costs the server two thirds of what staging costs, but fails on a key that is there already, and
every failure leaves dead rows behind. Whether keys are there, the last commits tell: keys that are
known come together, as files that are read again do. The first commit of a process asks for a few
of its keys. After a collision all the same, direct COPY is paused until some commits in a row have
met no such key: twice as many each time.
"""

# ruff: noqa: S608 - identifiers are quoted, values bound

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import psycopg2

from sinks.table.postgres.lines import Lines
from sinks.table.postgres.session import Session
from sinks.table.target import Target
from sinks.text.quoting import quote, quoted
from transforms.per_process import PerProcess

LONGEST_PAUSE = 64  # commits
SAMPLE = 32  # keys


@dataclass(slots=True)
class _Pause:
    """How direct COPY would have fared with one table in this process.

    Threads that commit to one table at a time may miss each other's notes: a pause is then a
    little longer or shorter.

    Attributes:
        left: The commits without a known key after which it is tried.
        next: How many such commits the next collision costs.
    """

    left: int = 0
    next: int = 1


_PAUSES: PerProcess[Target, _Pause] = PerProcess(lambda _: _Pause())


def note(target: Target, collided: bool | None) -> None:
    """Take note of a commit to ``target``.

    Args:
        target: The table.
        collided: Whether it met a key that was there; False if direct COPY met none, None if it
            was not tried.
    """
    pause = _PAUSES.get(target)
    if collided is None:
        pause.left = max(0, pause.left - 1)
    elif not collided:
        pause.next = 1
    elif pause.left:  # known keys that were staged cost little
        pause.left = max(pause.left, pause.next // 2)
    else:
        pause.left = pause.next
        pause.next = min(LONGEST_PAUSE, pause.next * 2)


def is_paused(target: Target) -> bool:
    """Whether the next commit does not try direct COPY."""
    pause = _PAUSES.peek(target)
    return pause is not None and pause.left > 0


def is_in_doubt(target: Target) -> bool:
    """Whether no commit of this process has told yet."""
    return _PAUSES.peek(target) is None


def are_known(session: Session, target: Target, blocks: Sequence[Lines]) -> bool:
    """Whether the table has any of a few keys of ``blocks``; False if it cannot be asked."""
    keys = _sample(target, blocks)
    if not keys:
        return False
    kinds = {column.name: quote(column.type) for column in target.columns}
    one = " AND ".join(f"{quote(name)} = %s::{kinds[name]}" for name in target.key)
    # Without a percent sign of its own, in a name.
    if one.count("%") != len(target.key) or "%" in quoted(target.table):
        return False
    any_of = " OR ".join([f"({one})"] * len(keys))
    # Not EXISTS, for which the whole table may be read.
    statement = f"SELECT count(*) FROM {quoted(target.table)} WHERE {any_of}"
    try:
        with session.savepoint("sample"):
            return bool(session.query(statement, list(chain.from_iterable(keys)))[0][0])
    except psycopg2.Error as error:
        if not session.undoes(error):
            raise
        return False


def _sample(target: Target, blocks: Sequence[Lines]) -> list[list[str]]:
    """The keys of some rows from all over ``blocks``, as texts without escapes."""
    sample: list[list[str]] = []
    for lines in blocks:
        if not set(target.key) <= set(lines.names):
            continue
        places = [lines.names.index(name) for name in target.key]
        for text in lines.texts[:: max(1, len(lines.texts) * len(blocks) // SAMPLE)]:
            cells = text.split("\t")
            key = [cells[place] for place in places]
            if not any("\\" in cell for cell in key):
                sample.append(key)
    return sample[:SAMPLE]
