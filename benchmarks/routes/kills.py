"""Kill runs into ten tables and into Parquet objects at random points, and compare with a clean run.

    python -m benchmarks.routes.kills [--kills 10] [--records 1000000] [--to both] [--seed 1]

Ten types of events are in one topic, one in a hundred records is broken. Two of the tables have a foreign
key between them. What must be there follows from the records alone: the rows of each table, the records
in the objects that the manifest names (read by pyarrow and by DuckDB), each dead letter with its target,
stage and category, and the counts of each target. A clean run and the killed one must both have it, the
same in all columns, and another run must add nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.commands import killed_within
from benchmarks.routes.expected import Expected
from benchmarks.routes.records import Plan
from benchmarks.routes.stage import Run, compared, conclude, same, stage, truth
from benchmarks.routes.tables import ledger_sums

TOPIC = "events"
DESTINATIONS = ("both", "tables", "objects")


def main() -> None:
    """Fill the topic, and compare a clean run with a killed one."""
    arguments = options(__doc__, kills=10)
    plan = Plan(arguments.records, seed=arguments.seed)
    with stage("routes-kills", objects=arguments.to != "tables") as services:
        services.fill(TOPIC, plan)
        must_be = truth(plan, arguments.to)
        source = services.servers.uri(TOPIC, "?until=latest")
        clean = services.run("clean", arguments.to)
        killed = services.run("killed", arguments.to)
        summary = services.servers.root / "summary.json"
        seconds = whole_run(clean, source, summary)["seconds"]
        print(f"clean: {plan.records / seconds:,.0f} records/s", flush=True)
        conclude(compared(clean, must_be))
        done = kill(killed, source, summary, arguments, seconds)
        whole_run(killed, source, summary)
        conclude([*compared(killed, must_be), *same(clean, killed)])
        adds_nothing(killed, source, summary, must_be)
    report(f"{done} kills", must_be)


def options(description: str | None, *, kills: int) -> argparse.Namespace:
    """The options of a proof that kills, ``kills`` times unless it is told otherwise."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--to", choices=DESTINATIONS, default="both")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def whole_run(run: Run, source: str, summary: Path) -> dict[str, Any]:
    """Run to the end; returns the summary, and fails unless it exits with 0."""
    log = summary.with_name(f"{run.name}.log")
    with log.open("ab") as output:
        done = subprocess.run(
            run.command(source, summary), stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise SystemExit(f"{run.name} ended with {done.returncode}:\n{log.read_text()[-4_000:]}")
    figures: dict[str, Any] = json.loads(summary.read_text())
    return figures


def kill(
    run: Run, source: str, summary: Path, arguments: argparse.Namespace, seconds: float
) -> int:
    """Start the run again and again, and kill it at random; returns how often that was done."""
    rng = random.Random(arguments.seed)
    for number in range(arguments.kills):
        # Anywhere from start-up to the middle of a run; later runs have less left to do.
        patience = rng.uniform(1.5, 2.5 + 1.5 * seconds / arguments.kills)
        if not killed_within(run.command(source, summary), patience):
            print(f"finished before kill {number + 1}", flush=True)
            return number
        print(f"kill {number + 1} with {settled(run):,} records settled", flush=True)
    return int(arguments.kills)


def settled(run: Run) -> int:
    """How many records the ledger has; 0 before it is there."""
    try:
        with psycopg.connect(run.url) as connection:
            return ledger_sums(connection)["read"]
    except psycopg.errors.UndefinedTable:
        return 0


def adds_nothing(run: Run, source: str, summary: Path, must_be: Expected) -> None:
    """Run once more: it must read nothing, and leave objects and manifest as they are."""
    before = None if run.lake is None else (run.lake.manifest(), run.lake.listing())
    started = time.monotonic()
    read = whole_run(run, source, summary)["read"]
    after = None if run.lake is None else (run.lake.manifest(), run.lake.listing())
    assert read == 0, f"a second run has read {read:,} records"
    assert before == after, "a second run has changed the manifest or the objects"
    conclude(compared(run, must_be))
    print(f"a second run adds nothing ({time.monotonic() - started:.1f} s)", flush=True)


def report(what: str, must_be: Expected) -> None:
    """Print what was compared."""
    rows = sum(each.total() for each in must_be.tables.values())
    objects = sum(each.total() for each in must_be.objects.values())
    print(
        f"{what}: {must_be.read:,} records; {rows:,} rows in {len(must_be.tables)} tables, "
        f"{objects:,} records of {len(must_be.objects)} types in objects and "
        f"{len(must_be.dead):,} dead letters are as they must be, and as in a clean run; the sums "
        f"hold for {len(must_be.sums)} targets and the whole"
    )


if __name__ == "__main__":
    main()
