"""On Flink, too, everything that shows figures shows those of the input, also after a machine is lost."""

from __future__ import annotations

from functools import partial

import pytest

from runners.flink.local.cluster import FlinkCluster
from sluice.flink import main as flink_main
from tests import waiting
from tests.pipelines.commands import ingest, ingested
from tests.pipelines.flink_state import checkpoints
from tests.pipelines.tables import count_rows, query
from tests.pipelines.test_numbers import (
    LATE,
    create_tables,
    lines,
    of_exporter,
    of_tables,
    settled,
)
from tests.pipelines.test_runs import listed
from tests.services.flink_faults import kill_task_manager, start_task_manager
from tests.services.flink_guarded import job_arguments
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]

wait_until = partial(waiting.wait_until, seconds=180.0)

PART = 1_200  # records, of which 9 have another outcome than a row


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_after_a_kill_on_flink_all_figures_are_those_of_the_input(
    flink: FlinkCluster,
    postgres_url: str,
    kafka_broker: KafkaBroker,
    topic: Topics,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sink, name = postgres_url, topic()
    texts, expected = lines(range(3 * PART))
    create_tables(sink)

    def produce(part: int) -> None:
        chosen = texts[part * PART : (part + 1) * PART]
        kafka_broker.produce(name, ((None, text.encode(), 0) for text in chosen))

    source = f"kafka://{kafka_broker.bootstrap}/{name}"
    on_flink = ("--runner", "FlinkRunner", *job_arguments(flink))
    stream = ("--streaming", "--detach", "--checkpointing_interval", "1000")
    assert ingest(source, sink, *on_flink, *LATE, *stream) == 0
    job = capsys.readouterr().out.strip()
    try:
        wait_until(lambda: checkpoints(flink, job)["completed"] > 0, "a checkpoint")
        produce(0)
        wait_until(lambda: count_rows(sink) > 0, "the first rows")
        for lost in flink.task_managers():
            kill_task_manager(flink, lost)
        produce(1)
        start_task_manager(flink)
        wait_until(lambda: settled(sink)["read"] == 2 * PART, "the records after the kill")
        assert checkpoints(flink, job)["restored"] >= 1
    finally:
        master = flink.endpoints.flink_master
        argv = ("cancel", "--job", job, "--flink_master", master, "--sink", sink)
        assert flink_main(argv) == 0
    before = settled(sink)
    assert before == {"read": 2 * PART, **lines(range(2 * PART))[1]}
    assert listed(sink, capsys)[0]["state"] == "stopped"

    produce(2)
    summary = ingested(f"{source}?until=latest", sink, *on_flink, *LATE, "--max_dead", "100%")
    after = settled(sink)
    assert after == {"read": 3 * PART, **expected}
    gained = {key: after[key] - before[key] for key in after}
    assert {key: summary[key] for key in gained} == gained, "the summary is of its run"
    assert listed(sink, capsys)[0]["state"] == "completed"
    of_tables(sink, expected, capsys)
    ((label,),) = query(sink, "SELECT DISTINCT source FROM ingest_progress")
    of_exporter(sink, expected, label)
