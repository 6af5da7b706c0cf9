"""The yardstick on SQLite: the least code that loads the same files by ``executemany``.

orjson, INSERT … ON CONFLICT DO NOTHING, 10,000 records a transaction, with the settings of a connection of this
project. It has no ledger, no dead letters and no retries: one bad line ends it.

    python -m benchmarks.files.sqlite_loader DATABASE FILE …
"""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

BATCH = 10_000
COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")
CACHE_KIB = 64 << 10
"""As this project's connections have it, whose modules would add to the start."""

INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


def load(database: Path, paths: Sequence[Path]) -> int:
    """Load all files into the table ``events``; returns the number of records."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    loaded = 0
    every = itertools.chain.from_iterable(map(_lines, paths))
    while batch := list(itertools.islice(every, BATCH)):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, map(_row, batch))
        connection.execute("COMMIT")
        loaded += len(batch)
    connection.close()
    return loaded


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _row(line: bytes) -> tuple[object, ...]:
    event = orjson.loads(line)
    return (*(event[name] for name in COLUMNS), orjson.dumps(event["props"]).decode())


def main() -> None:
    """Load, and print how many records."""
    database, *names = sys.argv[1:]
    print(load(Path(database), [Path(name) for name in names]))


if __name__ == "__main__":
    main()
