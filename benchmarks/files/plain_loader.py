"""The yardstick: the least code that loads the same files as fast as one connection allows.

orjson, COPY into a temporary table, INSERT … ON CONFLICT DO NOTHING, 10,000 records a batch.
It has no ledger, no dead letters and no retries: one bad line ends it.

    python -m benchmarks.files.plain_loader DSN FILE …
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psycopg

BATCH = 10_000
COLUMNS = ("event_id", "user_id", "type", "occurred_at", "amount", "currency")


def lines(paths: list[Path]) -> Iterator[bytes]:
    """All lines of all files."""
    for path in paths:
        with path.open("rb") as file:
            yield from file


def load(dsn: str, paths: list[Path]) -> int:
    """Load all files; returns the number of records."""
    loaded = 0
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "CREATE TEMP TABLE staging (LIKE events) ON COMMIT DELETE ROWS",
        )
        connection.commit()
        every = lines(paths)
        while batch := list(itertools.islice(every, BATCH)):
            with connection.cursor().copy("COPY staging FROM STDIN") as copy:
                for line in batch:
                    event = orjson.loads(line)
                    copy.write_row(
                        (*(event[name] for name in COLUMNS), orjson.dumps(event["props"]).decode())
                    )
            connection.execute("INSERT INTO events SELECT * FROM staging ON CONFLICT DO NOTHING")
            connection.commit()
            loaded += len(batch)
    return loaded


def main() -> None:
    """Load, and print how long it took."""
    dsn, *names = sys.argv[1:]
    started = time.perf_counter()
    loaded = load(dsn, [Path(name) for name in names])
    seconds = time.perf_counter() - started
    print(json.dumps({"records": loaded, "seconds": seconds}))


if __name__ == "__main__":
    main()
