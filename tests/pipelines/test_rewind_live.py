"""A running stream is paused, rewound and resumed, and reads the forgotten offsets again."""

from __future__ import annotations

import pytest

from pipelines import command
from pipelines.control import pause, resume, rewind
from tests.pipelines.commands import arguments, audit
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_running_stream_reads_again_what_was_forgotten_while_it_was_paused(sink: str) -> None:
    why = ["--sink", sink, "--pipeline", "events", "--reason", "look"]
    with mock_cluster() as bootstrap:
        produce(bootstrap, "orders", [(None, b'{"id":%d}' % n, n % PARTITIONS) for n in range(400)])
        argv = arguments(f"kafka://{bootstrap}/orders", sink, "--streaming")
        with running(argv) as process:
            wait_for_rows(process, sink, 400)
            assert command.run("pause", pause.main, why) == 0
            more = ["--source", "kafka://orders", "--partition", "1", "--from_offset", "60"]
            assert command.run("rewind", rewind.main, [*why, *more, "--yes"]) == 0
            assert query(sink, "SELECT SUM(end_offset - start_offset) FROM ingest_progress") == [
                (360,)
            ]
            assert command.run("resume", resume.main, why) == 0
            covered = "SELECT SUM(end_offset - start_offset), SUM(read) FROM ingest_progress"
            wait_until(
                lambda: [tuple(map(int, row)) for row in query(sink, covered)] == [(400, 440)],
                "40 offsets are read again",
                alive=lambda: process.poll() is None,
            )
            process.terminate()
            process.communicate(timeout=60)
    assert audit(sink) == 0
    assert query(sink, "SELECT count(*) FROM events") == [(400,)]
