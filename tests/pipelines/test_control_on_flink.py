"""On a cluster, an operator's pause holds every split while checkpoints go on, and a resume lets them go on."""

from __future__ import annotations

from functools import partial

import pytest

from pipelines.operation.verdicts import verdicts
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests import waiting
from tests.pipelines.commands import arguments
from tests.pipelines.control.asked import steer
from tests.pipelines.flink_state import checkpoints
from tests.pipelines.tables import count_rows, query
from tests.pipelines.test_flink import submit
from tests.services.flink_guarded import job_arguments
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SPLITS = 16
wait_until = partial(waiting.wait_until, seconds=180.0)


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_sixteen_splits_are_held_and_go_on_and_nothing_is_lost_or_read_twice(
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

    more = ("--runner", "FlinkRunner", "--parallelism", "2", "--checkpointing_interval", "1000")
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
    finally:
        flink_jobs.cancel(flink.rest, job, seconds=60)
    ledger = [each.as_json() for each in verdicts(postgres_url, None)]
    assert len(ledger) == SPLITS
    assert all(each["ok"] for each in ledger)
    assert sum(each["read"] for each in ledger) == sum(each["inserted"] for each in ledger) == sent
