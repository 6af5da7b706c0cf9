"""Rewind 100,000 records, dead, retrying and replayed ones among them, in each conflict mode.

    python -m benchmarks.steering.rewinds [--ways stopped flink] [--modes ignore update newest:t]
        [--records 125000] [--again 100000]

``stopped``: a run on DirectRunner ends, its offsets are rewound, and a second run reads them again.

``flink``: a stream on a real cluster is paused and rewound, and resumed while the job lives; under ``update``, its
TaskManager is killed in between, so that it goes on from a checkpoint. Then it is stopped with a savepoint,
rewound without a pause, and started from the savepoint, which has later positions.

Each time, jobs are removed that are dead, that wait for a retry or a replay, and whose replay has gone through.
Rows must be those that follow from the records in order, the sums of the ledger must add up, and ``sluice audit``
must be clean before and after.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.commands import audit
from benchmarks.flink.job import await_, explained
from benchmarks.flink.pauses import lost_task_manager, more_checkpoints, state
from benchmarks.kafka.services import Services, services
from benchmarks.routes.tables import database_url
from benchmarks.steering.records import DDL, PARTITIONS, SELECT, expected, failing, messages
from pipelines import command
from pipelines import dead_letters as dead_letters_command
from pipelines.control import pause, resume
from pipelines.control import rewind as rewind_command
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.services.flink_guarded import job_arguments, running

TOPIC = TABLE = "orders"
WAYS = ("stopped", "flink")
MODES = ("ignore", "update", "newest:t")
FAULTS = ("dead", "late", "replayed")
PROGRAM = Path(__file__).with_name("faulty.py")

SOME = 300
"""Dead letters whose replay waits."""

PATIENCE_SECONDS = 240.0
HEARD_SECONDS = 90.0
"""A process that was stopped counts as alive for at most a minute."""

WHY = ("--reason", "a proof")
NAMES = ("read", "inserted", "updated", "duplicates", "dead", "retrying", "filtered", "rewound")
KINDS = {"discarded", "available", "retryable", "completed"}
"""States of jobs that are removed: dead, to be replayed, to be tried again, and replayed."""


def main() -> None:
    """Run the trials."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--records", type=int, default=125_000)
    parser.add_argument("--again", type=int, default=100_000, help="how many are rewound")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(services("rewinds"))
        servers.broker.create_topic(TOPIC, PARTITIONS)
        servers.broker.produce(TOPIC, messages(arguments.records))
        trials = [
            (way, Trial.begun(servers, way, mode, arguments.records, arguments.again))
            for way in arguments.ways
            for mode in arguments.modes
        ]
        cluster = None
        if "flink" in arguments.ways:
            cluster = stack.enter_context(running(slots=2))
            stack.enter_context(explained(cluster))
        for way, trial in trials:
            started = time.monotonic()
            if way == "flink" and cluster is not None:
                told = on_flink(trial, cluster)
            else:
                told = stopped(trial)
            seconds = time.monotonic() - started
            print(f"{way}, {trial.mode}: OK in {seconds:.0f} s: {told}", flush=True)


@dataclass
class Trial:
    """One pipeline in a database of its own.

    Attributes:
        servers: The broker with the topic.
        url: The database.
        mode: How it resolves conflicts.
        records: How many the topic has.
        again: How many are rewound, the last ones of each partition.
        folder: Where the repaired faults are noted.
        repaired: These faults.
    """

    servers: Services
    url: str
    mode: str
    records: int
    again: int
    folder: Path
    repaired: list[str] = field(default_factory=list)

    @classmethod
    def begun(cls, servers: Services, way: str, mode: str, records: int, again: int) -> Trial:
        """Make the database with its table."""
        name = f"{way}_{mode.partition(':')[0]}"
        with psycopg.connect(servers.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        url = database_url(servers.dsn, name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(DDL)
        folder = servers.root / name
        folder.mkdir()
        return cls(servers, url, mode, records, again, folder)

    @property
    def first(self) -> int:
        """The first offset that is rewound in each partition."""
        return (self.records - self.again) // PARTITIONS

    def program(self, query: str, *more: str) -> str:
        """Run the program to its end; returns what it has printed."""
        argv = [
            *(sys.executable, str(PROGRAM), str(self.folder)),
            *("--source", self.servers.uri(TOPIC, query), "--sink", self.url, "--table", TABLE),
            *("--key", "id", "--on_conflict", self.mode, "--no_progress"),
            # Nothing is tried again by itself while this is measured.
            *("--retry_wait", "0", "--backoff_base", "36000", "--backoff_cap", "36000", *more),
        ]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def read(self) -> None:
        """Read the rest of the topic in one process, and try the jobs that are due."""
        self.program("?until=latest", "--runner", "DirectRunner")

    def repair(self, *faults: str) -> None:
        """Let records with these faults pass the step."""
        for fault in faults:
            (self.folder / fault).touch()
            self.repaired.append(fault)

    def replay(self, category: str, *more: str) -> None:
        """Replay dead letters."""
        filters = ("--category", category, *WHY, *more)
        run("dead_letters", dead_letters_command.main, "replay", "--sink", self.url, *filters)

    def steer(self, action: str) -> None:
        """Pause or resume."""
        main = {"pause": pause.main, "resume": resume.main}[action]
        run(action, main, "--sink", self.url, "--pipeline", TABLE, *WHY)

    def query(self, statement: str) -> list[Any]:
        """The rows of a query."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def sums(self) -> dict[str, int]:
        """The counts of all partitions."""
        columns = ", ".join(f"coalesce(sum({name}), 0)" for name in NAMES)
        (row,) = self.query(f"SELECT {columns} FROM ingest_progress")
        return dict(zip(NAMES, map(int, row), strict=True))

    def states(self, first: int = 0) -> dict[str, int]:
        """How many jobs there are from an offset on, by state."""
        where = f'WHERE "offset" >= {first} GROUP BY state'
        return dict(self.query(f"SELECT state, count(*) FROM ingest_jobs {where}"))

    def rewind(self, kinds: Collection[str]) -> float:
        """Rewind, as soon as it is not refused; returns the seconds until then, and checks what changed.

        Args:
            kinds: The states that the removed jobs must have.
        """
        rows, before, removed = self.rows(), self.sums(), self.states(self.first)
        assert set(removed) == set(kinds), removed
        places = [text for n in range(PARTITIONS) for text in ("--partition", str(n))]
        argv = [
            *("--sink", self.url, "--pipeline", TABLE, "--source", f"kafka://{TOPIC}"),
            *(*places, "--from_offset", str(self.first), "--json"),
        ]

        def dry() -> dict[str, Any]:
            answer: dict[str, Any] = json.loads(run("rewind", rewind_command.main, *argv))[0]
            return answer

        seconds = await_(lambda: not dry()["obstacle"], "rest", HEARD_SECONDS)
        assert (dry()["offsets"], dry()["removed"]) == (self.again, sum(removed.values())), dry()
        assert (self.sums(), self.states(self.first)) == (before, removed), (
            "a dry run has changed it"
        )
        run("rewind", rewind_command.main, *argv, "--yes", *WHY)
        after = self.sums()
        rewound = removed["discarded"] + removed["available"] + removed["retryable"]
        changed = {
            name: after[name] - before[name] for name in NAMES if after[name] != before[name]
        }
        waited = removed["available"] + removed["retryable"]
        want = {"dead": -removed["discarded"], "retrying": -waited, "rewound": rewound}
        assert changed == want, (changed, want)
        assert self.states(self.first) == {}
        assert self.rows() == rows
        self.audited(self.first)
        return seconds

    def rows(self) -> list[Any]:
        """The rows of the table."""
        return self.query(SELECT)

    def has_expected_rows(self) -> None:
        """Fail unless the table has what all records leave that are read in order."""
        want, got = expected(self.records, self.mode, self.repaired), self.rows()
        wrong = [pair for pair in zip(want, got, strict=False) if pair[0] != pair[1]]
        assert want == got, f"{len(want):,} rows expected, {len(got):,} there; {wrong[:5]}"

    def audited(self, end: int) -> None:
        """Fail unless each partition is covered from its start to ``end``, and its counts add up."""
        partitions = audit(self.url)
        assert len(partitions) == PARTITIONS, partitions
        for partition in partitions:
            assert partition["ranges"] == [[0, end]], partition
            assert partition["ok"], partition

    def is_settled(self, rounds: int) -> bool:
        """Whether all is read, ``rounds`` times the last part, and each fault has its outcome."""
        sums = self.sums()
        faults = {fault: failing(self.records, fault) for fault in FAULTS}
        broken = {fault: 0 if fault in self.repaired else n for fault, n in faults.items()}
        reached = (sums["read"], sums["dead"], sums["retrying"])
        read = self.records + rounds * self.again
        return reached == (read, broken["dead"] + broken["replayed"], broken["late"])

    def is_whole(self, rounds: int) -> None:
        """Fail unless all is settled, in the expected rows."""
        assert self.is_settled(rounds), self.sums()
        self.has_expected_rows()
        self.audited(self.records // PARTITIONS)


def run(name: str, main: Callable[[Sequence[str]], int], *argv: str) -> str:
    """Run a command in this process; returns what it has printed, and fails unless it exits with 0."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = command.run(name, main, argv)
    assert code == 0, f"{name} ended with {code}: {printed.getvalue()}"
    return printed.getvalue()


def begin_replays(trial: Trial) -> None:
    """Repair one fault, so that the dead letters of it are replayed."""
    trial.repair("replayed")
    trial.replay("replayed")


def repair_all(trial: Trial) -> None:
    """Repair the others, and let all that failed be tried again at once."""
    trial.repair("dead", "late")
    trial.replay("dead")
    trial.query("UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'")


def stopped(trial: Trial) -> str:
    """Rewind between two runs."""
    trial.read()
    trial.is_whole(0)
    begin_replays(trial)
    trial.read()
    trial.is_whole(0)
    trial.replay("dead", "--limit", str(SOME))
    removed = trial.states(trial.first)
    trial.rewind(KINDS)
    repair_all(trial)
    trial.read()
    trial.is_whole(1)
    before = trial.sums()
    trial.read()
    assert trial.sums() == before, "it was read again twice"
    return f"{trial.again:,} rewound with jobs {removed}; {trial.sums()}"


def on_flink(trial: Trial, cluster: FlinkCluster) -> str:
    """Rewind a job that is paused, and then one that was stopped with a savepoint."""
    job = submit(trial, cluster)
    try:
        settle(trial, 0)
        begin_replays(trial)
        settle(trial, 0)
        trial.steer("pause")
        more_checkpoints(cluster, job)
        trial.replay("dead", "--limit", str(SOME))
        removed = trial.states(trial.first)
        trial.rewind(KINDS)
        if trial.mode == "update":
            lost_task_manager(cluster, job)
        more_checkpoints(cluster, job)
        trial.audited(trial.first)  # nothing is read before the resume
        trial.steer("resume")
        live = settle(trial, 1)
        trial.is_whole(1)
        savepoint = flink_jobs.stop(cluster.rest, job, seconds=PATIENCE_SECONDS)
        trial.replay("dead", "--limit", str(SOME))
        refused = trial.rewind(KINDS - {"completed"})  # what was repaired did not fail again
        repair_all(trial)
        started = time.monotonic()
        job = submit(trial, cluster, "--savepoint_path", savepoint)
        settle(trial, 2)
        again = time.monotonic() - started
        trial.is_whole(2)
        more_checkpoints(cluster, job)
        assert state(cluster, job)["checkpoints"]["restored"] == 1
        trial.is_whole(2)
    finally:
        with contextlib.suppress(flink_jobs.JobError):  # it was stopped
            flink_jobs.cancel(cluster.rest, job, seconds=PATIENCE_SECONDS)
    return (
        f"twice {trial.again:,} rewound with jobs {removed}; read again {live:.0f} s after the resume and "
        f"{again:.0f} s after the submission from the savepoint; refused for {refused:.0f} s after the stop; "
        f"{trial.sums()}"
    )


def submit(trial: Trial, cluster: FlinkCluster, *more: str) -> str:
    """Start the stream; returns the id of its job."""
    options = ("--runner", "FlinkRunner", "--parallelism", "2", "--checkpointing_interval", "2000")
    on_cluster = (*options, *job_arguments(cluster), "--streaming", "--detach")
    return trial.program("", *on_cluster, *more).strip()


def settle(trial: Trial, rounds: int) -> float:
    """Wait until all is settled; returns the seconds."""
    return await_(lambda: trial.is_settled(rounds), "end of it", PATIENCE_SECONDS)


if __name__ == "__main__":
    main()
