"""Kill a stream twice in a row at each step of a pause, a drain, a resume and a rewind.

    python -m benchmarks.steering.kills [--actions pause drain resume rewind] [--rate 300]

The process ends itself with SIGKILL at the step (``stepped``); it is started again with the same step, at which
it ends again, or where it is held, if it cannot come to the step any more. The third process runs on. What was
asked must still be asked, with one entry in the audit trail; a held pipeline must not move, and a resumed one must
move; of a rewind, each offset that was forgotten must be read once more, and no other. In the end every record
that was sent is in one row.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Collection

import psycopg

from benchmarks.commands import audit
from benchmarks.events_table import fresh
from benchmarks.flink.job import await_
from benchmarks.kafka.checks import count_applications, each_once, ends, settled
from benchmarks.kafka.control import ask, stands, total
from benchmarks.kafka.services import Services, services
from benchmarks.steering.rewinds import run
from benchmarks.steering.stepped import GOES_ON_STEPS, HOLD_STEPS, REWIND_STEPS
from benchmarks.steering.trickle import Trickle
from pipelines.control import rewind as rewind_command
from sinks.control.requests import Requested, requested
from sinks.database.database import Database
from sinks.jobs.audit_trail import entries
from tests.services.process import ServiceProcess

TOPIC = TABLE = "events"
PARTITIONS = 4
PATIENCE_SECONDS = 90.0
HOLDS = 5
"""How often a stream is held until it comes by a step that only a stream with records to settle has."""

HELD_SECONDS = 3.0
"""How long a held pipeline is looked at."""

REWOUND = 100
"""About how many offsets of a partition a rewind forgets."""

ACTIONS = ("pause", "drain", "resume", "rewind")
REWOUND_STEPS = (*REWIND_STEPS, *GOES_ON_STEPS)
STATES = {"pause": "paused", "drain": "draining", "resume": "running"}


def main() -> None:
    """Run the trial."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--actions", nargs="+", choices=ACTIONS, default=list(ACTIONS))
    parser.add_argument("--rate", type=float, default=300.0)
    arguments = parser.parse_args()
    with services("steering-kills") as servers:
        trial(servers, arguments.actions, arguments.rate)


def trial(servers: Services, actions: Collection[str], rate: float) -> None:
    """Come to every step, and check the outcome."""
    servers.broker.create_topic(TOPIC, PARTITIONS)
    fresh(servers.dsn)
    count_applications(servers.dsn, TABLE, "NEW.user_id")
    producer, stream = Trickle(servers.broker.bootstrap, TOPIC, PARTITIONS, rate), Stream(servers)
    again: Counter[int] = Counter()
    try:
        stream.start("none")
        stream.moves_on()
        for action in ("pause", "drain"):
            for step in HOLD_STEPS if action in actions else ():
                held(stream, action, step)
        for step in GOES_ON_STEPS if "resume" in actions else ():
            resumed(stream, step)
        for number, step in enumerate(REWOUND_STEPS if "rewind" in actions else ()):
            again += rewound(stream, number, step)
        sent = producer.finish()
        await_(lambda: total(servers) == sent, "end of the topic", PATIENCE_SECONDS)
    finally:
        producer.stop()
        stream.close()
    check(servers, sent, again)
    print(
        f"{stream.kills} kills at {stream.trials} steps: {sent:,} sent, a row each; {again.total():,} offsets "
        "were rewound, and read once more",
        flush=True,
    )


class Stream:
    """The process that is killed and started again and again."""

    def __init__(self, servers: Services) -> None:
        self.servers = servers
        self.kills = 0
        self.trials = 0
        self._folder = servers.root / "stream"
        self._folder.mkdir()
        self._log = self._folder / "log"
        self._process: ServiceProcess | None = None

    def start(self, steps: str) -> None:
        """Start a process that ends at one of the steps; one that runs is killed first."""
        self.close()
        self._log.unlink(missing_ok=True)
        argv = [
            *(sys.executable, "-m", "benchmarks.steering.stepped", steps, "--streaming"),
            *("--runner", "DirectRunner", "--source", self.servers.uri(TOPIC)),
            *("--sink", self.servers.dsn, "--table", TABLE, "--key", "event_id", "--no_progress"),
        ]
        self._process = ServiceProcess(argv, self._folder, self._log)

    def dies_or_stands(self) -> bool:
        """Wait until nothing more is settled; returns whether it has killed itself."""
        assert self._process is not None
        stands(self.servers, time.monotonic())
        return self._process.exit_status is not None

    def dies_at(self, *steps: str) -> str:
        """Wait until it has killed itself at one of the steps; returns which."""
        assert self._process is not None
        process = self._process
        await_(lambda: process.exit_status is not None, f"end at {steps}", PATIENCE_SECONDS)
        text = self.text()
        assert process.exit_status == -signal.SIGKILL, text
        (step,) = [each for each in dict.fromkeys(steps) if f"killed at the step {each}\n" in text]
        self.kills += 1
        return step

    def waits(self) -> None:
        """Wait until it says that it is held."""
        await_(lambda: "it waits until" in self.text(), "line", PATIENCE_SECONDS)

    def moves_on(self) -> None:
        """Wait until more is settled."""
        before = total(self.servers)
        await_(lambda: total(self.servers) > before, "new record", PATIENCE_SECONDS)

    def text(self) -> str:
        """What the process has printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def close(self) -> None:
        """Kill it, if it still runs."""
        if self._process is not None:
            self._process.kill()


def held(stream: Stream, action: str, step: str) -> None:
    """Hold the pipeline; the process dies at a step of that, and once more.

    Where all that it had emitted was being committed when it saw the request, there is nothing left to settle,
    and no such step: the pipeline goes on, and is held again.
    """
    for _ in range(HOLDS):
        stream.start(step)
        stream.moves_on()
        with_one_entry(stream.servers, action)
        if stream.dies_or_stands():
            break
        ask(stream.servers, "resume")
    first = stream.dies_at(step)
    stream.start(f"{step},held")
    second = stream.dies_at(step, "held")
    stream.start("none")
    stream.waits()
    stands_still(stream, action)
    ask(stream.servers, "resume")
    stream.moves_on()
    told(stream, action, first, second)


def resumed(stream: Stream, step: str) -> None:
    """Let the pipeline go on; the process dies at a step of that, and once more."""
    hold(stream, step)
    with_one_entry(stream.servers, "resume")
    kills = killed_twice(stream, step)
    stream.start("none")
    stream.moves_on()
    told(stream, "resume", *kills)


def rewound(stream: Stream, number: int, step: str) -> Counter[int]:
    """Rewind a partition, and go on; the process dies at a step of that, and once more.

    Returns:
        The numbers of the events that were forgotten.
    """
    servers, partition = stream.servers, number % PARTITIONS
    step_of_it = f"{step}@{number + 1}"
    hold(stream, step_of_it)
    end = settled(servers.dsn, TOPIC)[partition]
    first = max(0, end - REWOUND)
    argv = [
        *("--sink", servers.dsn, "--pipeline", TABLE, "--source", f"kafka://{TOPIC}"),
        *("--partition", str(partition), "--from_offset", str(first), "--json", "--yes"),
    ]
    trail, before = len(entries(Database(servers.dsn))), total(servers)
    (answer,) = json.loads(run("rewind", rewind_command.main, *argv, "--reason", "a proof"))
    assert answer["partitions"][0]["ranges"] == [[first, end]], answer
    assert len(entries(Database(servers.dsn))) == trail + 1
    resumes = step in GOES_ON_STEPS
    if resumes:
        with_one_entry(servers, "resume")
    kills = killed_twice(stream, step_of_it)
    stream.start("none")
    if not resumes:
        stream.waits()
        stands_still(stream, "pause")
        assert total(servers) == before - (end - first), "it was read again while it was held"
        audit(servers.dsn)
        with_one_entry(servers, "resume")
    assert whole(servers).generation == number + 1
    await_(lambda: total(servers) > before, "records that are read again", PATIENCE_SECONDS)
    told(stream, "rewind", *kills)
    return Counter(offset * PARTITIONS + partition for offset in range(first, end))


def hold(stream: Stream, step: str) -> None:
    """Pause, and start a process that waits, and ends at the step once it comes to it."""
    ask(stream.servers, "pause")
    stands(stream.servers, time.monotonic())
    stream.start(step)
    stream.waits()


def killed_twice(stream: Stream, step: str) -> tuple[str, str]:
    """Wait until the process has died at the step, start it again, and wait for the same."""
    name = step.partition("@")[0]
    first = stream.dies_at(name)
    stream.start(step)
    return first, stream.dies_at(name)


def with_one_entry(servers: Services, action: str) -> None:
    """Ask for an action, and see that its row and one entry are written."""
    before = len(entries(Database(servers.dsn)))
    ask(servers, action)
    assert len(entries(Database(servers.dsn))) == before + 1
    assert whole(servers).state == STATES[action]


def stands_still(stream: Stream, action: str) -> None:
    """Fail if anything is settled, or something else is asked for."""
    before = total(stream.servers)
    time.sleep(HELD_SECONDS)
    assert total(stream.servers) == before, "records were settled while the pipeline was held"
    assert whole(stream.servers).state == STATES[action]


def whole(servers: Services) -> Requested:
    """What is asked of the whole pipeline."""
    (row,) = requested(Database(servers.dsn), TABLE)
    return row


def told(stream: Stream, action: str, first: str, second: str) -> None:
    """Print a line on a trial."""
    stream.trials += 1
    print(
        f"{action}: killed at {first!r} and at {second!r}; {total(stream.servers):,} settled",
        flush=True,
    )


def check(servers: Services, sent: int, again: Counter[int]) -> None:
    """Fail unless each event is in one row, and was read once more for each time it was forgotten."""
    until = ends(servers.broker.bootstrap, TOPIC)
    assert sum(until.values()) == sent, until
    each_once(servers.dsn, TABLE, "user_id", sent)
    partitions = audit(servers.dsn)
    read, duplicates = (sum(each[name] for each in partitions) for name in ("read", "duplicates"))
    assert (read, duplicates) == (sent + again.total(), again.total()), partitions
    for partition in partitions:
        assert partition["ranges"] == [[0, sent // PARTITIONS]], partition
    with psycopg.connect(servers.dsn) as connection:
        query = "SELECT number, count(*) FROM applied GROUP BY number HAVING count(*) > 1"
        more = connection.execute(query).fetchall()
    excess = {number: count for number, count in more if count > 1 + again[number]}
    assert not excess, f"applied too often: {excess}"


if __name__ == "__main__":
    main()
