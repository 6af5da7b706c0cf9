"""Kill an ingestion into DuckDB with SIGKILL at random moments, and compare with a clean run.

    python -m benchmarks.duckdb.kills [--kills 10] [--records 400000] [--seed 1]

Nobody can look into the file of a run to see how far it is, so the moments are of the clock: one kill in five comes at
start-up, the others within the time that the clean run took.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from benchmarks.commands import ingest, ingest_command, killed_within
from benchmarks.files.kills import flags, scene, state
from sinks.database.dialects import dialect_named


def trial(root: Path, kills: int, rng: random.Random) -> None:
    """Compare one clean run with one that is killed up to ``kills`` times."""
    clean, killed = (f"duckdb:///{root}/{name}.duckdb" for name in ("clean", "killed"))
    out = root / "summary.json"
    began = time.monotonic()
    whole = ingest(flags(root, clean), out)
    lasted = time.monotonic() - began
    starts = lasted - float(whole["seconds"])
    longest = starts + (lasted - starts) / 3
    done = 0
    for number in range(kills):
        bounds = (0.2 * starts, starts) if number % 5 == 0 else (starts, longest)
        if not killed_within(ingest_command(flags(root, killed), out), rng.uniform(*bounds)):
            print(f"finished before kill {done + 1}", flush=True)
            break
        done += 1
    last = ingest(flags(root, killed), out)
    dialect_named("duckdb")  # so that SQLAlchemy has it
    reference, result = state(clean), state(killed)
    assert result[0] == reference[0], "rows differ"
    assert result[1] == reference[1], "dead letters differ"
    gaps = [each for each in result[2] if each["gaps"] or not each["complete"]]
    assert not gaps, f"ledger has gaps: {gaps}"
    total = sum(each["read"] for each in result[2])
    assert total == whole["read"], f"{total} read, counted over all runs"
    print(
        f"{done} kills: same {len(result[0]):,} rows and {len(result[1]):,} dead letters as one clean "
        f"run; {total:,} records accounted for once; the last run read {last['read']:,}"
    )


def main() -> None:
    """Try it."""
    with scene(__doc__) as (root, kills, rng, _):
        trial(root, kills, rng)


if __name__ == "__main__":
    main()
