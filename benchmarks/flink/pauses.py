"""Pause and resume a stream of sixteen splits on a real Flink cluster, and let dead letters pause it.

    python -m benchmarks.flink.pauses [--pauses 6] [--rate 400] [--seed 1]

While records keep coming, ``sluice pause`` holds the pipeline, and ``sluice resume`` lets it go on, again and
again. While it is held, its ledger must not move, and checkpoints must go on. In every third pause, a TaskManager
and its workers are killed with SIGKILL, so that the job starts again while it is held. In the end every record
that was sent is in one row, and a trigger has noted it once.

Then broken records are sent, more than ``--max_dead`` allows: the pipeline is paused, and the job neither fails
nor restarts. After a resume it goes on, and is paused again once as many have failed as before.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

import psycopg

from benchmarks.events_table import fresh
from benchmarks.flink.job import await_, await_checkpoint, await_rows, explained, submit
from benchmarks.flink.kills import restarted
from benchmarks.kafka.checks import audited, count_applications, each_once, ends
from benchmarks.kafka.control import ask, stands, stopped_after, total
from benchmarks.kafka.services import Services, services
from benchmarks.steering.trickle import Trickle
from examples.events import event
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from sinks.control.polling import SECONDS as POLLED_SECONDS
from sinks.control.requests import Requested, requested
from sinks.database.database import Database
from tests.services import flink_faults
from tests.services.flink_guarded import job_arguments, running

SPLITS = 16
TABLE = TOPIC = "events"
NUMBER = "user_id"
START_SECONDS = 180.0
QUIET_SECONDS = 8.0
STOP_SECONDS = 15.0
"""Within which a pause must have stopped all reading."""

CHECKPOINTS = 3
MAX_DEAD = 20
"""Of each of the two processes."""

MANY, FEW = 8 * SPLITS, SPLITS
"""Broken records of which each process gets more, or fewer, than ``MAX_DEAD``."""


def main() -> None:
    """Start everything, and run the trial."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--pauses", type=int, default=6)
    parser.add_argument("--rate", type=float, default=400.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with services("flink-pauses") as servers, running(slots=2) as cluster, explained(cluster):
        trial(servers, cluster, arguments)


def trial(servers: Services, cluster: FlinkCluster, arguments: argparse.Namespace) -> None:
    """Stream, pause, kill and resume; then send broken records; and check the outcome."""
    rng = random.Random(arguments.seed)
    servers.broker.create_topic(TOPIC, SPLITS)
    fresh(servers.dsn)
    count_applications(servers.dsn, TABLE, f"NEW.{NUMBER}")
    job = submit(
        [
            *("--runner", "FlinkRunner", "--source", servers.uri(TOPIC), "--sink", servers.dsn),
            *("--table", TABLE, "--key", "event_id", "--no_progress", "--parallelism", "2"),
            *("--max_dead", str(MAX_DEAD), "--checkpointing_interval", "2000"),
            *job_arguments(cluster),
        ]
    )
    await_checkpoint(cluster, job, START_SECONDS)
    producer = Trickle(servers.broker.bootstrap, TOPIC, SPLITS, arguments.rate)
    stops: list[float] = []
    try:
        await_rows(servers.dsn, TABLE, 1, START_SECONDS)
        for number in range(1, arguments.pauses + 1):
            paused(servers, cluster, job, number, stops, rng)
        sent = producer.finish()
    finally:
        producer.stop()
    await_(lambda: total(servers) == sent, "end of the topic", START_SECONDS)
    each_once(servers.dsn, TABLE, NUMBER, sent)
    each_once(servers.dsn, "applied", "number", sent)
    stops.sort()
    print(
        f"{len(stops)} pauses of {SPLITS} splits: {sent:,} sent, {sent:,} rows, each applied once; the last "
        f"commit came {stops[len(stops) // 2]:.1f} s after the request (median; at most {stops[-1]:.1f} s)",
        flush=True,
    )
    dead = too_many_dead(servers, cluster, job)
    flink_jobs.stop(cluster.rest, job, seconds=START_SECONDS)
    until = ends(servers.broker.bootstrap, TOPIC)
    sums = audited(servers.dsn, TOPIC, until)
    assert (sums["dead"], sums["retrying"]) == (dead, 0), sums
    assert sums["inserted"] == sum(until.values()) - dead, sums
    print(f"{dead} dead letters have paused it twice; no failure, no gap", flush=True)


def paused(
    servers: Services,
    cluster: FlinkCluster,
    job: str,
    number: int,
    stops: list[float],
    rng: random.Random,
) -> None:
    """Pause, and kill the TaskManager in every third round; see that nothing is read; resume."""
    time.sleep(rng.uniform(0.0, 3.0))
    ask(servers, "pause")
    stands(servers, time.monotonic(), QUIET_SECONDS)
    stops.append(stopped_after(servers))
    assert stops[-1] < STOP_SECONDS, f"it has read for {stops[-1]:.1f} s after the request"
    held = total(servers)
    kill = number % 3 == 0
    if kill:
        lost_task_manager(cluster, job)
    seconds = more_checkpoints(cluster, job)
    assert total(servers) == held, "records were settled while the pipeline was held"
    ask(servers, "resume")
    resumed = time.monotonic()
    await_(lambda: total(servers) > held, "new record", START_SECONDS)
    print(
        f"pause {number}: the last commit {stops[-1]:.1f} s after it, {CHECKPOINTS} checkpoints in "
        f"{seconds:.1f} s{' after a kill' if kill else ''}, goes on {time.monotonic() - resumed:.1f} s after "
        "the resume",
        flush=True,
    )


def more_checkpoints(cluster: FlinkCluster, job: str) -> float:
    """Wait for more checkpoints; returns the seconds, and fails if one of them failed."""
    before = state(cluster, job)["checkpoints"]
    seconds = await_(
        lambda: (
            state(cluster, job)["checkpoints"]["completed"] >= before["completed"] + CHECKPOINTS
        ),
        "checkpoints",
        START_SECONDS,
    )
    assert state(cluster, job)["checkpoints"]["failed"] == before["failed"]
    return seconds


def state(cluster: FlinkCluster, job: str) -> dict[str, Any]:
    """What Flink says of the job."""
    (answer,) = flink_jobs.status(cluster.rest, job)
    return answer


def lost_task_manager(cluster: FlinkCluster, job: str) -> None:
    """Kill the TaskManager with its workers and replace it; wait until the job has restored its state."""
    before, (lost,) = restarted(cluster, job), cluster.task_managers()
    restored = state(cluster, job)["checkpoints"]["restored"]
    flink_faults.kill_task_manager(cluster, lost)
    flink_faults.start_task_manager(cluster)
    await_(lambda: restarted(cluster, job) != before, "restart", START_SECONDS)

    def runs_again() -> bool:
        answer = state(cluster, job)
        return bool(answer["state"] == "RUNNING" and answer["checkpoints"]["restored"] > restored)

    await_(runs_again, "restored state", START_SECONDS)
    # Those that are due while its tasks begin fail.
    completed = state(cluster, job)["checkpoints"]["completed"]
    await_(
        lambda: state(cluster, job)["checkpoints"]["completed"] > completed,
        "checkpoint after the restart",
        START_SECONDS,
    )


def too_many_dead(servers: Services, cluster: FlinkCluster, job: str) -> int:
    """Let dead letters pause the pipeline twice; returns how many there are."""
    before = state(cluster, job)
    dead = 0
    for _ in range(2):
        broken(servers, FEW)
        dead += FEW
        await_dead_letters(servers, dead)
        assert not whole(servers).holds, whole(servers)
        broken(servers, MANY)
        dead += MANY
        seconds = await_(lambda: whole(servers).holds, "pause", START_SECONDS)
        row = whole(servers)
        assert (row.state, row.actor) == ("paused", "sluice"), row
        print(
            f"dead letters pause it {seconds:.1f} s after they were sent: {row.reason}", flush=True
        )
        stands(servers, time.monotonic(), QUIET_SECONDS)
        held = total(servers)
        good(servers, produced(servers), 10 * SPLITS)
        more_checkpoints(cluster, job)
        assert total(servers) == held, "records were settled while the pipeline was held"
        read_to_the_end(servers)
    after = state(cluster, job)
    for name in ("state", "restarts"):
        assert after[name] == before[name], after
    return dead


def read_to_the_end(servers: Services) -> None:
    """Resume, also where broken records that the pause had left unread pause it once more."""
    ask(servers, "resume")

    def at_the_end() -> bool:
        if whole(servers).holds:
            ask(servers, "resume")
        return total(servers) == produced(servers)

    await_(at_the_end, "end of the topic", START_SECONDS)
    ask(servers, "resume")  # what was counted since the last one does not count any more,
    time.sleep(2 * POLLED_SECONDS)  # once both processes have seen it


def await_dead_letters(servers: Services, count: int) -> None:
    """Wait until there are ``count``."""
    await_(lambda: dead_letters(servers) == count, f"{count} dead letters", START_SECONDS)


def good(servers: Services, first: int, count: int) -> None:
    """Send records that are written, as many to each split."""
    rng = random.Random(first)
    numbered = [{**event(rng, n), NUMBER: n} for n in range(first, first + count)]
    values = (json.dumps(value).encode() for value in numbered)
    servers.broker.produce(TOPIC, [(None, raw, n % SPLITS) for n, raw in enumerate(values)])


def broken(servers: Services, count: int) -> None:
    """Send records that cannot be parsed, as many to each split."""
    servers.broker.produce(TOPIC, [(None, b"no JSON", n % SPLITS) for n in range(count)])


def whole(servers: Services) -> Requested:
    """What is asked of the whole pipeline."""
    (row,) = requested(Database(servers.dsn), TABLE)
    return row


def dead_letters(servers: Services) -> int:
    """How many there are."""
    with psycopg.connect(servers.dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM ingest_jobs WHERE state = 'discarded'"
        ).fetchone()
    assert row is not None
    return int(row[0])


def produced(servers: Services) -> int:
    """How many records the topic has."""
    return sum(ends(servers.broker.bootstrap, TOPIC).values())


if __name__ == "__main__":
    main()
