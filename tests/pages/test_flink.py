"""The commands of docs/flink.md and docs/deployment.md run on a cluster: one stream is stopped and goes on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from runners.flink.local.cluster import FlinkCluster
from tests import waiting
from tests.pages.page import commands_in, page, replaced
from tests.pipelines.flink_state import checkpoints
from tests.pipelines.tables import count_rows, query
from tests.services.flink_guarded import job_arguments
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce

pytestmark = [pytest.mark.integration, pytest.mark.slow]

wait_until = partial(waiting.wait_until, seconds=180.0)


def messages(start: int) -> list[tuple[None, bytes, int]]:
    """One for each partition."""
    return [(None, b'{"event_id": "%d"}' % (start + number), number) for number in range(4)]


def job_of(lines: Sequence[str]) -> str:
    """The id of a job, which its submission prints."""
    (job,) = [line for line in lines if re.fullmatch(r"[0-9a-f]{32}", line)]
    return job


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_a_stream_is_submitted_looked_at_upgraded_and_stopped(
    flink: FlinkCluster, postgres_url: str, tmp_path: Path
) -> None:
    master = flink.endpoints.flink_master
    begins = "make flink-up"
    with mock_cluster() as broker:
        cluster = shlex.join([*job_arguments(flink), "--checkpointing_interval", "1000"])
        here = {"broker": broker, "cluster": cluster, "master": master, "postgres": postgres_url}
        ingest, *_ = commands_in("docs/flink.md", begins)
        submission = replaced("docs/flink.md", ingest, here).removeprefix("sluice ")
        with (
            page("docs/flink.md", tmp_path, begins, **here) as opened,
            page("docs/deployment.md", tmp_path, "sluice flink", **here) as upgrade,
        ):
            produce(broker, "flink-events", messages(0))
            job = job_of(opened.runs("sluice ingest"))
            wait_until(lambda: count_rows(postgres_url) == 4, "4 rows")
            wait_until(lambda: checkpoints(flink, job)["completed"] > 0, "checkpoint")
            assert any(job in line and "RUNNING" in line for line in opened.runs("sluice flink"))
            stopped = "\n".join(upgrade.runs("sluice flink stop"))
            (savepoint,) = re.findall(r"file:\S+", stopped)
            later = job_of(upgrade.runs("… submit", submission=submission, savepoint=savepoint))
            produce(broker, "flink-events", messages(4))
            wait_until(lambda: count_rows(postgres_url) == 8, "8 rows")
            assert checkpoints(flink, later)["restored"] == 1
            wait_until(lambda: checkpoints(flink, later)["completed"] > 0, "checkpoint")
            assert "file:" in "\n".join(opened.runs("sluice flink stop"))
    ends = query(postgres_url, "SELECT outcome FROM ingest_runs ORDER BY started_at")
    assert ends == [("stopped",)] * 2
