"""On a cluster, a pause holds every split while checkpoints go on, whoever asks for it, until it is resumed."""

from __future__ import annotations

from functools import partial

import pytest

from pipelines.operation.verdicts import verdicts
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests import waiting
from tests.pipelines.commands import arguments
from tests.pipelines.control.asked import rows as asked
from tests.pipelines.control.asked import steer
from tests.pipelines.flink_state import checkpoints
from tests.pipelines.tables import count_rows, query
from tests.pipelines.test_flink import submit
from tests.services.flink_guarded import job_arguments
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SPLITS = 6
"""More than the two slots, each of which takes its splits in turns; ``make control-flink`` has 16."""

MAX_DEAD = 5
"""Of each of the two processes."""

wait_until = partial(waiting.wait_until, seconds=180.0)


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_all_splits_are_held_and_go_on_and_nothing_is_lost_or_read_twice(
    flink: FlinkCluster,
    postgres_url: str,
    kafka_broker: KafkaBroker,
    topic: Topics,
    capsys: pytest.CaptureFixture[str],
) -> None:
    query(postgres_url, "CREATE TABLE events (id bigint PRIMARY KEY)")
    name = topic(partitions=SPLITS)
    sent = 0

    def produce(count: int) -> None:
        nonlocal sent
        numbers = range(sent, sent + count)
        kafka_broker.produce(name, ((None, b'{"id":%d}' % n, n % SPLITS) for n in numbers))
        sent += count

    def rows() -> int:
        return count_rows(postgres_url, "events")

    def dead() -> int:
        return int(query(postgres_url, "SELECT count(*) FROM ingest_jobs")[0][0])

    on_flink = ("--runner", "FlinkRunner", "--parallelism", "2", "--checkpointing_interval", "1000")
    more = (*on_flink, "--max_dead", str(MAX_DEAD))
    source = f"kafka://{kafka_broker.bootstrap}/{name}"
    job = submit([*arguments(source, postgres_url, *more), *job_arguments(flink)], capsys)
    try:
        produce(10 * SPLITS)
        wait_until(lambda: rows() == sent, "the first records")
        assert steer("pause", postgres_url) == 0

        def stands() -> bool:
            """Whether no record of each partition is read that came after the last look."""
            before = rows()
            produce(SPLITS)
            done = checkpoints(flink, job)["completed"]
            wait_until(lambda: checkpoints(flink, job)["completed"] >= done + 3, "3 checkpoints")
            return rows() == before

        wait_until(stands, "the pause to hold every split")
        held = rows()
        assert held < sent
        done = checkpoints(flink, job)["completed"]
        wait_until(lambda: checkpoints(flink, job)["completed"] >= done + 5, "5 more checkpoints")
        assert rows() == held

        assert steer("resume", postgres_url) == 0
        wait_until(lambda: rows() == sent, "all records")

        # Too many dead letters pause it as well, and nothing is raised in the job.
        broken = 4 * SPLITS  # at least one process gets more than MAX_DEAD
        kafka_broker.produce(name, ((None, b"no JSON", n % SPLITS) for n in range(broken)))
        wait_until(lambda: asked(postgres_url)[""].state == "paused", "the pause")
        row = asked(postgres_url)[""]
        assert row.actor == "sluice"
        assert f"more than --max_dead {MAX_DEAD} allows" in row.reason
        wait_until(stands, "that pause to hold every split")
        assert rows() < sent

        def is_read() -> bool:
            """Whether all is; what of the broken records was left to read may pause it once more."""
            if asked(postgres_url)[""].state == "paused":
                assert steer("resume", postgres_url) == 0
            return rows() == sent and dead() == broken

        wait_until(is_read, "all records after the resume")
        (state,) = flink_jobs.status(flink.rest, job)
        assert (state["state"], state["restarts"], state["failure"]) == ("RUNNING", 0, None)
    finally:
        flink_jobs.cancel(flink.rest, job, seconds=60)
    ledger = [each.as_json() for each in verdicts(postgres_url, None)]
    assert len(ledger) == SPLITS
    assert all(each["ok"] for each in ledger)
    assert sum(each["inserted"] for each in ledger) == sent
    assert sum(each["read"] for each in ledger) == sent + broken
