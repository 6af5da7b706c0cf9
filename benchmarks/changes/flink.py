"""Kill TaskManagers of a real Flink cluster while change events change rows and the table itself.

    python -m benchmarks.changes.flink [--changes 200000] [--keys 5000] [--kills 5] [--fields 20]

A topic of four partitions has the changes of a table that gets new columns, one after another. Two subtasks
write them with ``--evolve add``, once with rows that are deleted and once with rows that are marked. A
part of the topic is sent before each kill, in whose middle it happens. In the end the
table has exactly the rows and the columns of the source, and nothing is dead or waits.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from benchmarks.changes.records import Source, disturbed
from benchmarks.commands import audit
from benchmarks.flink.job import await_, await_checkpoint, explained, submit
from benchmarks.flink.kills import RECOVERY_SECONDS, restarted
from benchmarks.kafka.feed import DELIVERY_SECONDS, failures_of, idempotent_producer
from benchmarks.kafka.services import Services, services
from benchmarks.routes.tables import database_url, jobs_left
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.services import flink_faults
from tests.services.flink_guarded import job_arguments, running

PARTITIONS = 4
WAYS = {"delete": "delete", "mark": "mark:gone"}
TABLE = "CREATE TABLE events (id integer PRIMARY KEY, n bigint, gone boolean)"
LEAST_RATE = 100.0
"""Records a second; a slower run counts as stalled."""


@dataclass(slots=True)
class Trial:
    """One stream into one table.

    Attributes:
        servers: The broker and the database server.
        way: How rows that are gone are written; also the name of database and topic.
        source: What has changed.
        events: Its changes, as far as they are not sent.
        sent: How many were sent.
    """

    servers: Services
    way: str
    source: Source
    events: Iterator[tuple[int, int, str]]
    sent: int = 0

    @property
    def url(self) -> str:
        """The database."""
        return database_url(self.servers.dsn, self.way)

    def prepare(self) -> None:
        """Create the topic, the database and the table."""
        self.servers.broker.create_topic(self.way, PARTITIONS)
        with psycopg.connect(self.servers.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.way}".encode())
        with psycopg.connect(self.url) as connection:
            connection.execute(TABLE)

    def arguments(self, cluster: FlinkCluster) -> list[str]:
        """The flags of the job."""
        return [
            *("--runner", "FlinkRunner", "--parallelism", "2", "--checkpointing_interval", "2000"),
            *("--source", self.servers.uri(self.way), "--sink", self.url, "--table", "events"),
            *("--key", "id", "--envelope", "debezium", "--on_delete", WAYS[self.way]),
            *("--on_conflict", "newest:@position", "--evolve", "add", "--no_progress"),
            *job_arguments(cluster),
        ]

    def send(self, records: int | None) -> None:
        """Send the next ``records`` events; None sends all that are left."""
        failed: list[Any] = []
        producer = idempotent_producer(self.servers.broker.bootstrap, **failures_of(failed))
        for partition, id_, text in itertools.islice(self.events, records):
            producer.produce(self.way, text, f'{{"id":{id_}}}', partition)
            self.sent += 1
            producer.poll(0)
        assert not producer.flush(DELIVERY_SECONDS)
        assert not failed, failed[0]

    def settled(self) -> int:
        """How many records the ledger has."""
        with psycopg.connect(self.url) as connection:
            if connection.execute("SELECT to_regclass('ingest_progress')").fetchone() == (None,):
                return 0
            row = connection.execute(
                "SELECT coalesce(sum(read), 0) FROM ingest_progress"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def await_settled(self, records: int) -> None:
        """Wait until the ledger has so many records."""
        patience = max(RECOVERY_SECONDS, self.sent / LEAST_RATE)
        await_(lambda: self.settled() >= records, f"{records:,} settled", patience)

    def reached(self, portion: int, middle: int) -> int:
        """Send the next ``portion``, and wait for so many settled records; returns how many there are."""
        self.send(portion)
        self.await_settled(middle)
        return self.settled()

    def check(self) -> dict[str, int]:
        """Compare table, ledger and audit trail with the source; returns the sums of the counts.

        Raises:
            AssertionError: They differ.
        """
        source, there = self.source, "" if self.way == "delete" else "WHERE NOT gone"
        with psycopg.connect(self.url) as connection:
            query = f"SELECT id, to_jsonb(events) - 'gone' FROM events {there}"
            rows: dict[int, dict[str, Any]] = dict(connection.execute(query.encode()).fetchall())
            columns = connection.execute(
                "SELECT count(*) FROM pg_attribute WHERE attrelid = 'events'::regclass "
                "AND attname LIKE 'f_%' AND attnum > 0"
            ).fetchone()
            changes = connection.execute(
                "SELECT sum(count) FROM ingest_audit WHERE action = 'evolve'"
            ).fetchone()
        for id_, lsn in source.rows.items():
            row = {name: cell for name, cell in rows.pop(id_, {}).items() if cell is not None}
            assert row == source.row(id_, lsn), f"row {id_} is {row}"
        assert not rows, f"{len(rows):,} rows are not the source's, such as {rows.popitem()}"
        assert columns == changes == (source.fields,), (columns, changes)
        partitions = audit(self.url)
        assert all(each["ok"] for each in partitions), partitions
        names = ("read", "inserted", "updated", "deleted", "duplicates", "dead", "retrying")
        sums = {name: sum(each[name] for each in partitions) for name in names}
        assert (sums["read"], sums["dead"], sums["retrying"]) == (self.sent, 0, 0), sums
        return sums


def kill(cluster: FlinkCluster, job: str, reached: Callable[[], int]) -> tuple[int, float]:
    """Kill the TaskManager of the job once ``reached`` returns, when another one is there.

    Otherwise the job might have failed too often before there is one.

    Returns:
        What ``reached`` returned, and the seconds until the job was restarted.
    """
    (lost,) = cluster.task_managers()
    flink_faults.start_task_manager(cluster)
    cluster.await_task_managers(2)
    before = reached()
    last = restarted(cluster, job)
    flink_faults.kill_task_manager(cluster, lost)
    killed = time.monotonic()
    await_(lambda: restarted(cluster, job) != last, "restart", RECOVERY_SECONDS)
    return before, time.monotonic() - killed


def run(trial: Trial, cluster: FlinkCluster, records: int, kills: int) -> str:
    """Send, kill in the middle of each portion, and check; returns the figures."""
    trial.prepare()
    portion = records // (kills + 1)
    job = submit(trial.arguments(cluster))
    try:
        await_checkpoint(cluster, job, RECOVERY_SECONDS)
        started = time.monotonic()
        for number in range(kills):
            middle = portion * number + portion // 2
            before, seconds = kill(cluster, job, partial(trial.reached, portion, middle))
            sent = trial.sent
            if number == kills - 1:
                trial.send(None)
            trial.await_settled(sent)
            print(
                f"{trial.way}: kill {number + 1} with {before:,} of {sent:,} settled, restarted "
                f"{seconds:.1f} s after it",
                flush=True,
            )
        trial.await_settled(trial.sent)
        await_(lambda: jobs_left(trial.url) == 0, "the end of all retries", RECOVERY_SECONDS)
        seconds = time.monotonic() - started
    except BaseException:
        with contextlib.suppress(flink_jobs.JobError):  # it may have ended
            flink_jobs.cancel(cluster.rest, job, seconds=RECOVERY_SECONDS)
        raise
    flink_jobs.cancel(cluster.rest, job, seconds=RECOVERY_SECONDS)
    sums = trial.check()
    return (
        f"{trial.way}: {kills} TaskManagers killed, {trial.sent:,} records in {seconds:.0f} s: the same "
        f"{len(trial.source.rows):,} rows and {trial.source.fields} new columns as the source; {sums}"
    )


def main() -> None:
    """Start everything, and run a trial for each way to write deletes."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--changes", type=int, default=200_000)
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=5, help="of each trial")
    parser.add_argument("--fields", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=tuple(WAYS))
    arguments = parser.parse_args()
    with services("flink-changes") as servers, running(slots=2) as cluster, explained(cluster):
        for way in WAYS:
            if arguments.only in (None, way):
                source = Source(arguments.keys, arguments.seed, arguments.fields)
                events = disturbed(source, arguments.changes, PARTITIONS)
                trial = Trial(servers, way, source, events)
                print(run(trial, cluster, arguments.changes, arguments.kills), flush=True)


if __name__ == "__main__":
    main()
