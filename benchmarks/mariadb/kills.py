"""Kill ingestions into MariaDB with SIGKILL at random points, and compare with what must come of them.

    python -m benchmarks.mariadb.kills [--kills 10] [--records 400000] [--seed 1]

First one ingestion, compared with a clean run. Then two at once, of a quarter of the records each: both write
the same keys, in opposite orders and each with values of its own, so that they meet in the same rows and some of
their transactions deadlock. One of the two, at random, is killed and begun again while the other goes on. In the end each
row must have the newest value of its key, and each record must be accounted for once.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import sqlalchemy as sa

from benchmarks.commands import audit, ingest_command, killed_within
from benchmarks.files.kills import engine_to, scene, settled, trial
from tests.services.mariadb import MariaDb

KEYS = 5_000
DDL = (
    "CREATE TABLE counters (id bigint PRIMARY KEY, at bigint NOT NULL, by_whom varchar(1) NOT NULL)"
)
SIDES = ("a", "b")


def write(folder: Path, records: int, rng: random.Random) -> Mapping[int, tuple[int, str]]:
    """Write the records of both sides; returns the newest value of each key."""
    newest: dict[int, tuple[int, str]] = {}
    for number, side in enumerate(SIDES):
        (folder / side).mkdir()
        places = rng.sample(range(records), records)
        for part in range(4):
            with (folder / side / f"{part}.jsonl").open("w") as file:
                for place in range(part, records, 4):
                    key = place % KEYS if side == "a" else KEYS - 1 - place % KEYS
                    at = 2 * places[place] + number  # no two records have the same
                    file.write(f'{{"id":{key},"at":{at},"by_whom":"{side}"}}\n')
                    newest[key] = max(newest.get(key, (-1, "")), (at, side))
    return newest


def flags(folder: Path, side: str, sink: str) -> Sequence[str]:
    """The flags of the runs of one side."""
    return [
        *("--source", str(folder / side / "*.jsonl"), "--sink", sink, "--table", "counters"),
        *("--key", "id", "--on_conflict", "newest:at"),
    ]


def two_at_once(
    server: MariaDb, folder: Path, records: int, kills: int, rng: random.Random
) -> None:
    """Let both sides write, and kill one of them ``kills`` times."""
    sink = server.create_database()
    newest = write(folder, records, rng)
    engine = engine_to(sink)
    with engine.begin() as connection:
        connection.execute(sa.text(DDL))
    commands = {
        side: ingest_command(flags(folder, side, sink), folder / f"{side}.json") for side in SIDES
    }
    running = {side: subprocess.Popen(commands[side], stdout=subprocess.DEVNULL) for side in SIDES}
    done = 0
    for number, at in enumerate(sorted(rng.sample(range(2 * records), kills))):
        while settled(sink) < at and any(process.poll() is None for process in running.values()):
            time.sleep(rng.uniform(0.01, 0.1))
        side = rng.choice([side for side in SIDES if running[side].poll() is None] or [""])
        if not side:
            print(f"two at once: both finished before kill {done + 1}", flush=True)
            break
        running[side].kill()
        running[side].wait()
        done += 1
        if number % 5 == 0:  # once more, at its start
            done += killed_within(commands[side], rng.uniform(0.5, 2.5))
        print(f"two at once: {done} kills with {settled(sink):,} records settled", flush=True)
        running[side] = subprocess.Popen(commands[side], stdout=subprocess.DEVNULL)
    assert [process.wait() for process in running.values()] == [0, 0]
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT id, at, by_whom FROM counters")).all()
        deadlocks = connection.execute(sa.text("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")).one()
    engine.dispose()
    assert {key: (at, side) for key, at, side in rows} == newest, "rows are not the newest"
    partitions = audit(sink)
    assert all(each["complete"] and not each["gaps"] for each in partitions), partitions
    sums = {
        name: sum(each[name] for each in partitions)
        for name in ("read", "inserted", "updated", "duplicates", "dead", "retrying")
    }
    assert sums["read"] == 2 * records, sums
    assert sums["inserted"] == len(newest), sums
    assert sums["inserted"] + sums["updated"] + sums["duplicates"] == 2 * records, sums
    print(
        f"two at once: {done} kills and {deadlocks[1]} deadlocks: each of {len(rows):,} rows is the newest, "
        f"and {sums['read']:,} records are accounted for once: {sums['inserted']:,} inserted, "
        f"{sums['updated']:,} updated, {sums['duplicates']:,} older than their row"
    )


def main() -> None:
    """Try it."""
    with scene(__doc__) as (root, kills, rng, _), MariaDb() as server:
        records = trial(
            root, "mariadb", server.create_database(), server.create_database(), kills, rng
        )
        (root / "two").mkdir()
        two_at_once(server, root / "two", records // 4, kills, rng)


if __name__ == "__main__":
    main()
