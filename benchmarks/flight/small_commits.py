"""``pipelines.ingest`` with commits of a few records, a given number of them in flight.

    python -m benchmarks.flight.small_commits IN_FLIGHT RECORDS OPTION...

IN_FLIGHT is the most transactions side by side, RECORDS the most records of each; the rest are options of
``pipelines.ingest``. The command line has neither, since its own choice is right for real data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines import command
from pipelines.ingestion import options, run


def main(argv: Sequence[str]) -> int:
    """Run one ingestion and return its exit code."""
    in_flight, records = int(argv[0]), int(argv[1])
    config, of_process = options.from_argv(argv[2:])
    write = replace(config.write, in_flight=in_flight, commit_records=records)
    return run.carry_out(replace(config, write=write, batch_records=records), of_process)


if __name__ == "__main__":
    raise SystemExit(command.run("ingest", main, None))
