"""The yardstick: the least code that loads the same files by the driver's ``executemany``.

orjson, INSERT … ON DUPLICATE KEY UPDATE, 10,000 records a batch. It has no ledger, no dead letters and no
retries: one bad line ends it.

    python -m benchmarks.mariadb.plain_loader PORT DATABASE FILE …
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import orjson
import pymysql

from benchmarks.files.plain_loader import BATCH, COLUMNS, lines

INSERT = (
    f"INSERT INTO events ({', '.join(COLUMNS)}, props) VALUES ({', '.join(['%s'] * 7)}) "
    "ON DUPLICATE KEY UPDATE event_id = event_id"
)


def load(port: int, database: str, paths: list[Path]) -> int:
    """Load all files; returns the number of records."""
    loaded = 0
    with pymysql.connect(host="127.0.0.1", port=port, user="root", database=database) as connection:
        every = lines(paths)
        while batch := list(itertools.islice(every, BATCH)):
            rows = []
            for line in batch:
                event = orjson.loads(line)
                event["occurred_at"] = event["occurred_at"].removesuffix("+00:00")
                cells = [event[name] for name in COLUMNS]
                rows.append((*cells, orjson.dumps(event["props"]).decode()))
            connection.cursor().executemany(INSERT, rows)
            connection.commit()
            loaded += len(batch)
    return loaded


def main() -> None:
    """Load, and print how long it took."""
    port, database, *names = sys.argv[1:]
    started = time.perf_counter()
    loaded = load(int(port), database, [Path(name) for name in names])
    print(json.dumps({"records": loaded, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
