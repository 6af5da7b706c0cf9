"""Load the same files into SQLite by a plain loader and by this program, in turns.

    python -m benchmarks.files.sqlite [--records 1000000] [--rounds 5] [--again] [--beside CHECKOUT]

Prints wall and CPU seconds of each whole process, its start included, and the median shares of the plain
loader's: above 1, this program takes less. With ``--again``, every key is there already. With ``--beside``, another
checkout of this project, with a ``.venv`` of its own, runs in turns with both. Rows of all programs are compared.
Fails if the median of the shares is below 0.9, in wall seconds.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.commands import ingest_command
from examples.events import events, write

DDL = """CREATE TABLE events (event_id TEXT NOT NULL PRIMARY KEY, user_id BIGINT, type TEXT, occurred_at TEXT,
amount, currency TEXT, props JSON)"""
"""The table as this project creates it: the column of numbers has no type, so that it keeps all digits."""

LEAST = 0.9
FILES = 8


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has taken, in seconds."""

    wall: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.cpu:.2f} s of CPU)"


def fresh(path: Path) -> None:
    """Leave an empty table, and nothing else, in the database ``path``."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute(DDL)
    connection.close()


def contents(path: Path) -> tuple[object, ...]:
    """What the rows of two databases must agree in: how many there are, their sums and lengths."""
    connection = sqlite3.connect(path)
    try:
        sums: tuple[object, ...] = connection.execute(
            "SELECT count(*), sum(user_id), CAST(round(sum(amount) * 100) AS INTEGER), count(amount), "
            "count(currency), sum(length(event_id || type || occurred_at)), sum(length(props)) FROM events"
        ).fetchone()
    finally:
        connection.close()
    return sums


def cost_of(command: Sequence[str], folder: Path) -> Cost:
    """What ``command`` takes, run in ``folder``.

    Raises:
        SystemExit: It does not end with 0.
    """
    began = time.perf_counter()
    process = os.fork()
    if not process:
        os.chdir(folder)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.execv(command[0], list(command))
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime)


def shares_of(rounds: Sequence[tuple[Cost, Cost]]) -> tuple[float, float]:
    """The median share of the plain loader's cost, in wall and in CPU seconds; above 1, ours is less.

    Args:
        rounds: Of each round, the cost of the plain loader, and that of this program.
    """
    return (
        statistics.median(plain.wall / ours.wall for plain, ours in rounds),
        statistics.median(plain.cpu / ours.cpu for plain, ours in rounds),
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--again", action="store_true", help="load what is there already")
    parser.add_argument("--beside", type=Path, help="another checkout")
    arguments = parser.parse_args()
    here = Path.cwd()
    trees = [here, *([arguments.beside.resolve()] if arguments.beside else [])]
    with tempfile.TemporaryDirectory(prefix="sqlite-") as name:
        folder = Path(name)
        paths = write(folder / "lines", events(arguments.records), FILES)
        database = folder / "events.db"
        loader = [sys.executable, "-m", "benchmarks.files.sqlite_loader", str(database)]
        flags = ["--source", str(folder / "lines" / "*.jsonl"), "--sink", f"sqlite:///{database}"]
        flags += ["--table", "events", "--key", "event_id"]
        ours = ingest_command(flags, folder / "summary.json")[1:]
        programs = [("plain", here, [*loader, *map(str, paths)])]
        for number, tree in enumerate(trees):
            python = sys.executable if tree == here else str(tree / ".venv/bin/python")
            programs.append((("sluice", "beside")[number], tree, [python, *ours]))
        costs: dict[str, list[Cost]] = {program: [] for program, _, _ in programs}
        expected = None
        for number in range(arguments.rounds):
            for program, tree, command in programs[:: -1 if number % 2 else 1]:
                fresh(database)
                if arguments.again:
                    cost_of(programs[0][2], here)
                costs[program].append(cost_of(command, tree))
                rows = contents(database)
                expected = expected or rows
                if rows != expected or rows[0] != arguments.records:
                    raise SystemExit(f"{program} left {rows}, not {expected}")
            shown = ", ".join(f"{program} {costs[program][-1]}" for program in costs)
            print(f"round {number + 1}: {shown}", flush=True)
    for program in list(costs)[1:]:
        wall, cpu = shares_of(list(zip(costs["plain"], costs[program], strict=True)))
        print(f"{program}: median {wall:.2f} of the plain loader's rate, {cpu:.2f} by CPU seconds")
    wall, _ = shares_of(list(zip(costs["plain"], costs["sluice"], strict=True)))
    if wall < LEAST:
        raise SystemExit(f"less than {LEAST}")


if __name__ == "__main__":
    main()
