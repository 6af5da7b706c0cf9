"""The records that everybody loads: JSON lines, the same as text for COPY, and what they add up to.

They have the shape of ``examples.events``, of about 190 bytes, and are made a few times as fast, because a
hundred million are laid out for one measurement. Every key is there once.
"""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

LINE_BYTES = 191
READY_BYTES = 111
ROW_BYTES = 165
"""What a record takes as a line, as text for COPY, and in the table with its index."""

PIECE = 25_000
"""Lines of one file for COPY."""

INLINE = 50_000
"""As many records or fewer are laid out without processes of their own."""

_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_TYPES = ("click", "view", "purchase")


class Sums(NamedTuple):
    """What the rows of a set add up to: their number, and three columns (the amount in cents)."""

    rows: int
    users: int
    cents: int
    numbers: int


class Event(NamedTuple):
    """One event, as a line of JSON and as a line for COPY, and its part of the sums."""

    line: str
    ready: str
    user: int
    cents: int
    number: int


@dataclass(frozen=True, slots=True)
class Records:
    """A set of records, laid out.

    Attributes:
        sums: What its rows add up to.
        files: Its JSON lines.
        ready: The same for COPY; empty if nobody asked for it.
        bootstrap: The broker of ``topic``.
        topic: The topic that has it too; empty if none has.
    """

    sums: Sums
    files: tuple[Path, ...]
    ready: tuple[Path, ...] = ()
    bootstrap: str = ""
    topic: str = ""


def made_events(first: int, count: int, seed: int = 7) -> Iterator[Event]:
    """``count`` events from number ``first`` on. The same numbers and seed make the same events."""
    rng = random.Random(f"{seed}/{first}")
    bits, share = rng.getrandbits, rng.random
    stamp = ""
    for number in range(first, first + count):
        if number % 2 == 0 or not stamp:
            stamp = (_SINCE + timedelta(seconds=number // 2)).strftime("%Y-%m-%dT%H:%M:%S")
        key = f"{bits(128):032x}"
        # Version 4, variant 1.
        key = f"{key[:8]}-{key[8:12]}-4{key[13:16]}-a{key[17:20]}-{key[20:]}"
        user = int(share() * 10_000_000)
        cents = int(share() * 100_000)
        kind = _TYPES[number % 3]
        at = f"{stamp}.500000+00:00" if number % 2 else f"{stamp}+00:00"
        small = number % 100
        props = f'{{"k":{small},"s":"abc"}}'
        yield Event(
            f'{{"event_id":"{key}","user_id":{user},"type":"{kind}","occurred_at":"{at}",'
            f'"amount":{cents / 100},"currency":"EUR","props":{props}}}\n',
            f"{key}\t{user}\t{kind}\t{at}\t{cents / 100}\tEUR\t{props}\n",
            user,
            cents,
            small,
        )


def key_of(line: bytes) -> bytes:
    """The ``event_id`` of a line of JSON that ``made_events`` made."""
    return line[13:49]


def laid_out(folder: Path, records: int, files: int, *, ready: bool) -> Records:
    """Write ``records`` events into ``files`` files in ``folder``, a new folder.

    Args:
        folder: Where.
        records: How many.
        files: Over how many files they are spread, in runs.
        ready: Whether to write them for COPY too.
    """
    folder.mkdir(parents=True)
    bounds = [records * number // files for number in range(files + 1)]
    shares = [
        (folder / f"events-{number:02d}", bounds[number], bounds[number + 1], ready)
        for number in range(files)
    ]
    if records <= INLINE:
        sums = [_write(*share) for share in shares]
    else:
        # Not forked: a client of Kafka may have threads here.
        with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
            sums = list(pool.map(_write, *zip(*shares, strict=True)))
    return Records(
        total(sums),
        tuple(path.with_suffix(".jsonl") for path, *_ in shares),
        tuple(sorted(folder.glob("*.copy"))),
    )


def total(sums: Iterable[Sums]) -> Sums:
    """The sums of several sets together."""
    columns = list(zip(*sums, strict=True))
    return Sums(*map(sum, columns)) if columns else Sums(0, 0, 0, 0)


def bytes_needed(records: int, *, ready: bool) -> int:
    """About how much room the files and the table take."""
    return records * (LINE_BYTES + ROW_BYTES + (READY_BYTES if ready else 0))


def _write(path: Path, first: int, end: int, ready: bool) -> Sums:
    """Write the events of one file; returns their sums."""
    sums = Sums(0, 0, 0, 0)
    every = made_events(first, end - first)
    with path.with_suffix(".jsonl").open("w") as lines:
        for number in itertools.count():
            piece = list(itertools.islice(every, PIECE))
            if not piece:
                return sums
            lines.writelines(event.line for event in piece)
            if ready:
                with Path(f"{path}-{number:05d}.copy").open("w") as texts:
                    texts.writelines(event.ready for event in piece)
            users, cents, numbers = zip(*((e.user, e.cents, e.number) for e in piece), strict=True)
            sums = total([sums, Sums(len(piece), sum(users), sum(cents), sum(numbers))])
    raise AssertionError("unreachable")
