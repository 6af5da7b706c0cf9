"""Pause, drain, resume and kill a stream at random while records keep coming; each must arrive once.

    python -m benchmarks.kafka.control [--rounds 20] [--rate 500] [--seconds 500] [--seed 1]

Each round asks for a pause or a drain, and for a resume. In every second round the process is killed with
SIGKILL twice, at random moments between the request and the hold; in the others once it is held, so that it
starts while it is held. In every third, the command that asks is killed at a random moment first: its row and
its entry in the audit trail must both be there, or neither. Every second resume is followed by a kill.

While the pipeline is held, its ledger must not move. In the end every record that was sent is in one row, and a
trigger has noted it once.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg

from benchmarks.commands import killed_within
from benchmarks.events_table import fresh
from benchmarks.kafka.checks import (
    POLL_SECONDS,
    all_applied_once,
    await_settled,
    committed,
    count_applications,
    ends,
    settled,
)
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import Services, services
from sinks.control.requests import requested
from sinks.database.database import Database
from sinks.jobs.audit_trail import entries

TOPIC = TABLE = "events"
PARTITIONS = 4
GROUP = "control"

QUIET_SECONDS = 4.0
"""A ledger that has not moved for this long stands: a stream of this rate moves every few tenths."""

STANDS_SECONDS = 15.0
PATIENCE_SECONDS = 90.0


def main() -> None:
    """Run the trial."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=500.0)
    parser.add_argument("--seconds", type=float, default=500.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with services("control-kafka") as servers:
        trial(arguments, servers, random.Random(arguments.seed))


def trial(arguments: argparse.Namespace, servers: Services, rng: random.Random) -> None:
    """Stream, steer and kill, and check the outcome."""
    source = servers.uri(TOPIC, f"?group={GROUP}")
    servers.broker.create_topic(TOPIC, PARTITIONS)
    fresh(servers.dsn)
    count_applications(servers.dsn, TABLE, "NEW.user_id")
    ingestion = Ingestion(
        servers.root / "ingest", source, servers.dsn, TABLE, ("--key", "event_id")
    )
    feed = Feed(
        *(servers.root / "feed", servers.broker.bootstrap, TOPIC),
        *(round(arguments.seconds * arguments.rate), arguments.rate),
    )
    stops: list[float] = []
    kills = 0
    try:
        ingestion.start()
        moved(servers, ingestion, 0)
        for number in range(arguments.rounds):
            kills += one_round(number, servers, ingestion, rng, stops)
        report = feed.finish()
        until = ends(servers.broker.bootstrap, TOPIC)
        await_settled(servers.dsn, TOPIC, until, ingestion)
        ingestion.stop()
    finally:
        ingestion.close()
        feed.close()
    sent = report["sent"]
    read = all_applied_once(servers, TOPIC, TABLE, "user_id", GROUP, sent)
    stops.sort()
    print(
        f"{arguments.rounds} pauses and drains, {kills} kills of the process: {sent:,} sent, {read:,} read, "
        f"{sent:,} rows, each applied once; the last commit came {stops[len(stops) // 2]:.1f} s after the "
        f"request (median of {len(stops)}; at most {stops[-1]:.1f} s)",
        flush=True,
    )


def one_round(
    number: int,
    servers: Services,
    ingestion: Ingestion,
    rng: random.Random,
    stops: list[float],
) -> int:
    """Hold and resume once; returns how often the process was killed."""
    action = rng.choice(("pause", "drain"))
    if number % 3 == 0:
        interrupted(servers, action, rng)
    asked = time.monotonic()
    ask(servers, action)
    kills = 0
    if number % 2:
        for longest in (2.5, 6.0):
            kills += killed(ingestion, rng.uniform(0.0, longest))
        stands(servers, time.monotonic())
    else:
        stands(servers, asked)
        stops.append(stopped_after(servers))
        for longest in (2.0, 6.0):
            kills += killed(ingestion, rng.uniform(0.0, longest))
    held = total(servers)
    time.sleep(rng.uniform(1.0, 4.0))
    assert total(servers) == held, "records were settled while the pipeline was held"
    behind(servers)
    ask(servers, "resume")
    if rng.random() < 0.5:
        kills += killed(ingestion, rng.uniform(0.0, 4.0))
    seconds = moved(servers, ingestion, held)
    print(f"round {number}: {action} at {held:,}, goes on {seconds:.1f} s after it", flush=True)
    return kills


def command(servers: Services, action: str) -> list[str]:
    """The command that asks for ``action``."""
    argv = [sys.executable, "-m", f"pipelines.control.{action}", "--sink", servers.dsn]
    return [*argv, "--pipeline", TABLE, "--reason", "a proof"]


def ask(servers: Services, action: str) -> None:
    """Ask, and see that it is written."""
    subprocess.run(command(servers, action), check=True, stdout=subprocess.DEVNULL)
    consistent(servers)


def interrupted(servers: Services, action: str, rng: random.Random) -> None:
    """Ask, and kill the command at a random moment."""
    dead = killed_within(command(servers, action), rng.uniform(0.3, 2.0))
    consistent(servers)
    print(f"the command was {'killed' if dead else 'too fast'}", flush=True)


def consistent(servers: Services) -> None:
    """Fail unless the row is what the last entry of the audit trail says."""
    states = {"pause": "paused", "drain": "draining", "resume": "running"}
    rows = requested(Database(servers.dsn), TABLE)
    trail = [each for each in entries(Database(servers.dsn)) if each.action in states]
    if not rows:
        assert not trail, trail
        return
    (row,) = rows
    assert row.state == states[trail[0].action], (row, trail[0])


def killed(ingestion: Ingestion, seconds: float) -> int:
    """Kill the process after ``seconds``, and start it again."""
    time.sleep(seconds)
    ingestion.kill()
    ingestion.start()
    return 1


def total(servers: Services) -> int:
    """How many offsets the ledger has settled."""
    return sum(settled(servers.dsn, TOPIC).values())


def stopped_after(servers: Services) -> float:
    """The seconds from the request to the last commit, by the database's clock; 0 if none came later."""
    with psycopg.connect(servers.dsn) as connection:
        query = """
            SELECT extract(epoch FROM max(p.updated_at) - c.changed_at)
            FROM ingest_progress p, ingest_control c GROUP BY c.changed_at
        """
        row = connection.execute(query).fetchone()
    assert row is not None
    return max(0.0, float(row[0]))


def stands(servers: Services, since: float, quiet: float = QUIET_SECONDS) -> None:
    """Wait until the ledger has stood for ``quiet`` seconds, counted from ``since``."""
    last, at = total(servers), since
    while time.monotonic() - at < quiet:
        now = total(servers)
        if now != last:
            last, at = now, time.monotonic()
        assert at - since < STANDS_SECONDS, f"it still reads {at - since:.0f} s after the request"
        time.sleep(POLL_SECONDS)


def moved(servers: Services, ingestion: Ingestion, before: int) -> float:
    """Wait until more is settled than ``before``; returns the seconds it took."""
    started = time.monotonic()
    within(lambda: total(servers) > before, ingestion)
    return time.monotonic() - started


def within(condition: Callable[[], bool], ingestion: Ingestion) -> None:
    """Wait for a condition while the process runs."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        ingestion.check()
        assert time.monotonic() < deadline, f"not in time:\n{ingestion.tail()}"
        time.sleep(POLL_SECONDS)


def behind(servers: Services) -> None:
    """Fail if the group's offsets are ahead of the ledger."""
    group = committed(servers.broker.bootstrap, TOPIC, GROUP, PARTITIONS)
    ledger = settled(servers.dsn, TOPIC)  # read second, since it only grows
    ahead = {each: at for each, at in group.items() if at > ledger.get(each, 0)}
    assert not ahead, f"the group is ahead of the ledger: {ahead}, ledger {ledger}"


if __name__ == "__main__":
    main()
