"""Read files and topics under a limit, by one process and by three of one pipeline; how near is the rate to it?

    python -m benchmarks.kafka.rate [--seconds 60] [--rate 2000] [--only NAME] [--flink]

There is always more to read than the limit allows. The rows of the table are counted ten times a second, by
the clock of the database. The rate is that of a minute which begins when every process has settled
something; it must be within 5 % of the limit. The minute from the first row of all is shown as well, in which
three processes begin at once, and the fastest second and ten seconds. On Flink (``--flink``), a job with three
subtasks reads a topic, and the minute begins ten seconds after its first row.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.events_table import fresh
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.services import Services, services
from examples.events import events, write
from runners.flink.local.cluster import FlinkCluster
from tests.services.flink_guarded import job_arguments, running
from tests.services.process import ServiceProcess

TABLE = PIPELINE = "events"
PARTITIONS = 12
FEED_RATE = 1e6
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 120.0
TOLERANCE = 0.05
MARGIN_SECONDS = 25.0
"""There is more to read than in the time that is measured, by so many seconds at the limit."""

Sample = tuple[float, int, int]
"""Seconds by the database's clock, the rows, and how many sources have settled something."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One measurement.

    Attributes:
        name: Of what.
        sources: One process for each.
        limit: The options that limit the pipeline.
        rate: Rows per second that the limit stands for.
        runner: The name of the runner.
        streaming: Whether the processes go on forever.
        warm_seconds: How long after every source has been read the minute begins.
        asked: What `sluice rate` is told then, which takes the place of the limit.
    """

    name: str
    sources: Sequence[str]
    limit: Sequence[str]
    rate: float
    runner: str = "DirectRunner"
    streaming: bool = True
    warm_seconds: float = 0.0
    asked: Sequence[str] = ()


def main() -> None:
    """Run all trials, or one."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--only", help="the trials whose name contains this text")
    parser.add_argument("--flink", action="store_true", help="only a job on a Flink cluster")
    arguments = parser.parse_args()
    failed = []
    with services("rate") as servers, ExitStack() as stack:
        records = round(arguments.rate * (arguments.seconds + MARGIN_SECONDS))
        if arguments.flink:
            # A process may have only one of the partitions, and half of the limit.
            fill(servers, "one", PARTITIONS * records // 4)
            cluster = stack.enter_context(running(slots=3))
            chosen = [on_flink(servers, cluster, arguments.rate / 2)]
        else:
            chosen = trials(servers, arguments.rate, records)
        for trial in chosen:
            if arguments.only is None or arguments.only in trial.name:
                within = measure(servers, trial, arguments.seconds)
                failed += [] if within else [trial.name]
    if failed:
        raise SystemExit(f"not within {TOLERANCE:.0%}: {', '.join(failed)}")


def fill(servers: Services, topic: str, records: int, first: int = 0) -> None:
    """Make a topic with so many events."""
    servers.broker.create_topic(topic, PARTITIONS)
    folder = servers.root / f"feed-{topic}"
    Feed(folder, servers.broker.bootstrap, topic, records, FEED_RATE, first=first).finish()


def trials(servers: Services, rate: float, records: int) -> list[Trial]:
    """What is measured, with what it reads."""
    folder = servers.root / "events"
    paths = write(folder, events(records), 4)
    size = sum(path.stat().st_size for path in paths) / records - 1  # without the newline
    for number, topic in enumerate(("one", *"abc")):
        fill(servers, topic, records, number * records)
    files = str(folder / "*.jsonl")
    limit = ("--max_rate", f"{rate:g}")
    three = [servers.uri(topic) for topic in "abc"]
    by_size = ("--max_bytes_rate", f"{round(rate * size)}")
    return [
        Trial("files, one process", [files], limit, rate, streaming=False),
        Trial("files by bytes, one process", [files], by_size, rate, streaming=False),
        Trial("topic, one process", [servers.uri("one")], limit, rate),
        Trial("three topics, three processes", three, limit, rate),
        Trial("topic on Prism, one process", [servers.uri("one")], limit, rate, "PrismRunner"),
        Trial(
            *("three topics, halved by sluice rate", three, limit, rate / 2),
            warm_seconds=3.0,
            asked=("--max_rate", f"{rate / 2:g}"),
        ),
    ]


def on_flink(servers: Services, cluster: FlinkCluster, rate: float) -> Trial:
    """A job with three subtasks."""
    limit = ("--max_rate", f"{rate:g}", "--parallelism", "3", *job_arguments(cluster))
    return Trial(
        *("topic on Flink, three subtasks", [servers.uri("one")], limit, rate, "FlinkRunner"),
        warm_seconds=10.0,
    )


def measure(servers: Services, trial: Trial, seconds: float) -> bool:
    """Run the processes of a trial; returns whether the rate is near enough to the limit."""
    empty(servers.dsn)
    processes = [
        start(servers, trial, source, f"{trial.name.replace(' ', '-')}-{number}")
        for number, source in enumerate(trial.sources)
    ]
    try:
        samples, start_at = sampled(servers.dsn, processes, trial, seconds)
    finally:
        for process in processes:
            process.kill()
    first = next(at for at, rows, _ in samples if rows)
    rate = rate_from(samples, start_at, seconds)
    deviation = rate / trial.rate - 1
    early = rate_from(samples, first, seconds) / trial.rate - 1
    measured = [each for each in samples if each[0] >= start_at]
    print(
        f"{trial.name}: {rate:,.1f}/s over {seconds:.0f} s, {deviation:+.1%} of the limit of "
        f"{trial.rate:,.0f}/s; "
        + ("" if trial.asked else f"{early:+.1%} from the first row on; ")
        + f"the fastest 10 s {fastest(measured, 10.0) / trial.rate - 1:+.1%}, the fastest second "
        f"{fastest(measured, 1.0):,.0f} rows; processes: {number_of(servers.dsn)}",
        flush=True,
    )
    return abs(deviation) <= TOLERANCE


def number_of(dsn: str) -> int:
    """How many processes had a heartbeat."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM ingest_workers").fetchone()
    assert row is not None
    return int(row[0])


def empty(dsn: str) -> None:
    """Leave nothing of an earlier trial."""
    fresh(dsn)
    with psycopg.connect(dsn, autocommit=True) as connection:
        query = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'ingest\\_%'"
        for (table,) in connection.execute(query).fetchall():
            connection.execute(f'DROP TABLE "{table}"')


def start(servers: Services, trial: Trial, source: str, name: str) -> ServiceProcess:
    """A process of the pipeline."""
    folder = Path(servers.root / name)
    folder.mkdir()
    command = [sys.executable, "-m", "pipelines.ingest", "--runner", trial.runner]
    command += ["--source", source, "--sink", servers.dsn, "--table", TABLE, "--key", "event_id"]
    command += ["--pipeline", PIPELINE, "--no_progress", *trial.limit]
    command += ["--streaming"] if trial.streaming else []
    return ServiceProcess(command, folder, servers.root / f"{name}.log")


def sampled(
    dsn: str, processes: Sequence[ServiceProcess], trial: Trial, seconds: float
) -> tuple[list[Sample], float]:
    """Count the rows until the time is over; returns when it began, too."""
    samples: list[Sample] = []
    deadline = time.monotonic() + PATIENCE_SECONDS + seconds
    start_at: float | None = None
    query = f"""
        SELECT extract(epoch FROM clock_timestamp()), (SELECT count(*) FROM {TABLE}),
            (SELECT count(DISTINCT split_part(source, '/', 3)) FROM ingest_progress)
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        while start_at is None or samples[-1][0] < start_at + seconds + 1.0:
            assert time.monotonic() < deadline, "the processes do not begin in time"
            assert all(process.exit_status is None for process in processes), "a process has ended"
            time.sleep(POLL_SECONDS)
            try:
                row = connection.execute(query).fetchone()
            except psycopg.errors.UndefinedTable:  # the ledger is not there yet
                continue
            assert row is not None
            samples.append((float(row[0]), int(row[1]), int(row[2])))
            if start_at is None and samples[-1][2] >= len(trial.sources):
                began = time.monotonic()
                if trial.asked:
                    change(dsn, trial.asked)
                start_at = samples[-1][0] + time.monotonic() - began + trial.warm_seconds
    return samples, start_at


def change(dsn: str, options: Sequence[str]) -> None:
    """Ask for another limit."""
    command = [sys.executable, "-m", "pipelines.control.rate", "--sink", dsn, *options]
    command += ["--pipeline", PIPELINE, "--reason", "a proof"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def rate_from(samples: Sequence[Sample], start: float, seconds: float) -> float:
    """Rows per second in the ``seconds`` after ``start``, or until the end."""
    window = [(at, rows) for at, rows, _ in samples if start <= at <= start + seconds]
    (first, before), (last, after) = window[0], window[-1]
    return (after - before) / (last - first)


def fastest(samples: Sequence[Sample], seconds: float) -> float:
    """The highest rate of any ``seconds`` that begin with a sample."""
    ends = [at for at, _, _ in samples if at + seconds <= samples[-1][0]]
    return max(rate_from(samples, at, seconds) for at in ends)


if __name__ == "__main__":
    main()
