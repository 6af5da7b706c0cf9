"""Which job of a cluster is one's own, among those that others submit at the same time."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from apache_beam.runners.runner import PipelineState

from runners.beam_private import mark_of, with_mark
from runners.flink import submission
from runners.flink.rest import FlinkRest
from runners.flink.submission import Marked, started, submitted
from runners.runner import RunnerUnavailable

OWN, THEIRS, OLD = "0" * 32, "1" * 32, "2" * 32


class JobManager:
    """Answers as Flink's REST API does; ``answers`` may be changed at any time."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/jobs": {"jobs": []}}
        self.requests: list[str] = []
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                manager.requests.append(self.path)
                answer = manager.answers.get(self.path)
                errors = {"errors": ["not found"]}
                body = json.dumps(errors if answer is None else answer).encode()
                self.send_response(404 if answer is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.rest = FlinkRest(f"127.0.0.1:{self.server.server_port}")

    def has(self, **marks: str | None) -> None:
        """Add jobs of these ids; None is the mark of one whose options are not shown yet."""
        for job, mark in marks.items():
            self.answers["/jobs"]["jobs"].append({"id": job, "status": "RUNNING"})
            options = {} if mark is None else {"jobName": "same", "sluiceSubmission": mark}
            config = {"jid": job, "execution-config": {"user-config": options}}
            self.answers[f"/jobs/{job}/config"] = config


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobManager]:
    monkeypatch.setattr(submission, "SUBMIT_SECONDS", 0.5)
    monkeypatch.setattr(submission, "START_SECONDS", 0.5)
    manager = JobManager()
    yield manager
    manager.server.shutdown()
    manager.server.server_close()


def result(cluster: JobManager, state: str = PipelineState.RUNNING) -> Any:
    """What Beam has returned for a job with the mark ``own``."""

    def wait_until_finish() -> None:
        raise RuntimeError("Pipeline x failed in state FAILED: it could not begin")

    beams = SimpleNamespace(state=state, wait_until_finish=wait_until_finish)
    return with_mark(beams, Marked(cluster.rest, "own", {OLD}))


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the runners have logged: threads of earlier tests may log too."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("runners")]


def test_a_new_job_of_somebody_else_is_not_taken(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: "own"})
    job = submitted(result(cluster))
    assert job is not None
    assert job.job == OWN
    assert job.address == f"{cluster.rest.address}/#/job/{OWN}/overview"


def test_a_job_whose_options_are_not_shown_yet_is_looked_at_again(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: None})
    marked: Marked = mark_of(result(cluster))
    assert marked.find() is None
    cluster.answers["/jobs"]["jobs"].clear()
    cluster.has(**{THEIRS: "theirs", OWN: "own"})
    assert marked.find() == OWN
    assert cluster.requests.count(f"/jobs/{THEIRS}/config") == 1, "its mark does not change"


def test_a_job_that_was_there_before_is_not_asked(cluster: JobManager) -> None:
    cluster.has(**{OLD: "own"})
    assert mark_of(result(cluster)).find() is None


def test_an_id_that_is_not_found_in_time_is_not_guessed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{THEIRS: "theirs"})
    assert submitted(result(cluster)) is None
    (line,) = reported(caplog)
    assert "its id is not known" in line
    assert THEIRS not in line
    with pytest.raises(RunnerUnavailable, match="its id is not known"):
        started(result(cluster))


def test_a_job_that_failed_before_it_began_is_reported_as_failed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: None})
    assert submitted(result(cluster, PipelineState.FAILED)) is None
    assert not reported(caplog)
    with pytest.raises(RuntimeError, match="it could not begin"):
        started(result(cluster, PipelineState.FAILED))


def test_nobody_is_told_that_a_job_runs_before_all_of_it_does(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{OWN: "own"})
    tasks = [{"status": "RUNNING"}, {"status": "SCHEDULED"}]
    cluster.answers[f"/jobs/{OWN}"] = {"state": "RUNNING", "vertices": tasks}
    assert started(result(cluster)).job == OWN
    (line,) = reported(caplog)
    assert line.startswith(f"job {OWN} does not run yet")
    assert "SCHEDULED" in line
    caplog.clear()
    tasks[1]["status"] = "RUNNING"
    assert started(result(cluster)).job == OWN
    assert not reported(caplog)


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_job_that_ends_before_it_runs_is_reported(cluster: JobManager, state: str) -> None:
    cluster.has(**{OWN: "own"})
    cluster.answers[f"/jobs/{OWN}"] = {"state": state, "vertices": [{"status": "CANCELED"}]}
    with pytest.raises(RuntimeError, match="it could not begin"):
        started(result(cluster))
