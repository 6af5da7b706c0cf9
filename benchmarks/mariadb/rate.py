"""Load the same files by a plain loader and by this program, in turns, into MariaDB.

    python -m benchmarks.mariadb.rate [--records 1000000] [--rounds 3]

Prints records per second of each round (of this program from its first record to its last, as its summary
has it, and with its start), and fails if the median of the shares is below 0.7.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.commands import ingest
from examples.events import events, write
from tests.services.mariadb import MariaDb

DDL = """CREATE TABLE events (event_id char(36) CHARACTER SET ascii PRIMARY KEY, user_id bigint,
type varchar(20), occurred_at datetime(6), amount decimal(12,2), currency char(3), props json)"""
LEAST = 0.7


def fresh(server: MariaDb) -> str:
    """The URL of a database with an empty table."""
    url = server.create_database()
    server.run(DDL.replace("TABLE events", f"TABLE {url.rpartition('/')[2]}.events"))
    return url


def rows(server: MariaDb, url: str) -> int:
    """How many rows the table has."""
    connection = server.connect(url.rpartition("/")[2])
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT COUNT(*) FROM events")
        return int(cursor.fetchone()[0])
    finally:
        connection.close()


def plain(server: MariaDb, paths: list[Path], records: int) -> float:
    """Records per second of the plain loader."""
    url = fresh(server)
    command = [sys.executable, "-m", "benchmarks.mariadb.plain_loader", str(server.port)]
    command += [url.rpartition("/")[2], *map(str, paths)]
    figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert rows(server, url) == records
    server.drop_database(url)
    return records / float(figures["seconds"])


def sluice(server: MariaDb, folder: Path, records: int) -> tuple[float, float]:
    """Records per second of this program, without and with its start."""
    url = fresh(server)
    flags = ["--source", str(folder / "*.jsonl"), "--sink", url, "--table", "events"]
    started = time.perf_counter()
    summary = ingest([*flags, "--key", "event_id"], folder / "summary.json")
    whole = time.perf_counter() - started
    assert rows(server, url) == summary["inserted"] == records, summary
    server.drop_database(url)
    return records / float(summary["seconds"]), records / whole


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    shares = []
    with tempfile.TemporaryDirectory(prefix="rate-") as name, MariaDb() as server:
        folder = Path(name)
        paths = write(folder, events(arguments.records), 8)
        for number in range(arguments.rounds):
            yardstick = plain(server, paths, arguments.records)
            ours, whole = sluice(server, folder, arguments.records)
            shares.append(ours / yardstick)
            print(
                f"round {number + 1}: plain {yardstick:,.0f}/s, sluice {ours:,.0f}/s "
                f"({whole:,.0f}/s with its start): {shares[-1]:.2f}",
                flush=True,
            )
    share = statistics.median(shares)
    print(f"median {share:.2f} of the plain loader")
    if share < LEAST:
        raise SystemExit(f"less than {LEAST}")


if __name__ == "__main__":
    main()
