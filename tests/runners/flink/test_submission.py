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

from runners.flink import runner as flink
from runners.flink.rest import FlinkRest
from runners.runner import RunnerUnavailable, Submission, named

OWN, THEIRS, OLD = "0" * 32, "1" * 32, "2" * 32


class JobManager:
    """Answers as Flink's REST API does; ``answers`` may be changed meanwhile."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/jobs": {"jobs": []}}
        self.asked: list[str] = []
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                manager.asked.append(self.path)
                found = manager.answers.get(self.path)
                body = json.dumps({"errors": ["not found"]} if found is None else found).encode()
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.rest = FlinkRest(f"127.0.0.1:{self.server.server_port}")

    def has(self, **marks: str | None) -> None:
        """It has jobs of these ids; None is one whose options it does not show yet."""
        for job, mark in marks.items():
            self.answers["/jobs"]["jobs"].append({"id": job, "status": "RUNNING"})
            told = {} if mark is None else {"jobName": "same", "sluiceSubmission": mark}
            config = {"jid": job, "execution-config": {"user-config": told}}
            self.answers[f"/jobs/{job}/config"] = config


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[JobManager]:
    monkeypatch.setattr(flink, "SUBMIT_SECONDS", 0.5)
    monkeypatch.setattr(flink, "START_SECONDS", 0.5)
    made = JobManager()
    yield made
    made.server.shutdown()
    made.server.server_close()


def result(cluster: JobManager, state: str = PipelineState.RUNNING) -> Any:
    """What Beam has returned of a job with the mark ``own``."""

    def wait_until_finish() -> None:
        raise RuntimeError("Pipeline x failed in state FAILED: it could not begin")

    marked = flink._Marked(cluster.rest, "own", {OLD})
    return SimpleNamespace(marked=marked, state=state, wait_until_finish=wait_until_finish)


def submitted(made: Any) -> Submission | None:
    take = named("FlinkRunner").submitted
    assert take is not None
    return take(made)


def started(made: Any) -> Submission:
    take = named("FlinkRunner").started
    assert take is not None
    return take(made)


def test_a_new_job_of_somebody_else_is_not_taken(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: "own"})
    found = submitted(result(cluster))
    assert found is not None
    assert found.job == OWN
    assert found.address == f"{cluster.rest.address}/#/job/{OWN}/overview"


def test_a_job_whose_options_are_not_shown_yet_is_looked_at_again(cluster: JobManager) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: None})
    marked = result(cluster).marked
    assert marked.find() is None
    cluster.answers["/jobs"]["jobs"].clear()
    cluster.has(**{THEIRS: "theirs", OWN: "own"})
    assert marked.find() == OWN
    assert cluster.asked.count(f"/jobs/{THEIRS}/config") == 1, "its mark does not change"


def test_a_job_that_was_there_before_is_not_asked(cluster: JobManager) -> None:
    cluster.has(**{OLD: "own"})
    assert result(cluster).marked.find() is None


def test_an_id_that_is_not_found_in_time_is_not_guessed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{THEIRS: "theirs"})
    assert submitted(result(cluster)) is None
    (line,) = caplog.messages
    assert "its id is not known" in line
    assert THEIRS not in line
    with pytest.raises(RunnerUnavailable, match="its id is not known"):
        started(result(cluster))


def test_a_job_that_failed_before_it_began_is_reported_as_failed(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{THEIRS: "theirs", OWN: None})
    assert submitted(result(cluster, PipelineState.FAILED)) is None
    assert not caplog.messages
    with pytest.raises(RuntimeError, match="it could not begin"):
        started(result(cluster, PipelineState.FAILED))


def test_nobody_is_told_that_a_job_runs_before_all_of_it_does(
    cluster: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.has(**{OWN: "own"})
    tasks = [{"status": "RUNNING"}, {"status": "SCHEDULED"}]
    cluster.answers[f"/jobs/{OWN}"] = {"state": "RUNNING", "vertices": tasks}
    assert started(result(cluster)).job == OWN
    (line,) = caplog.messages
    assert line.startswith(f"job {OWN} does not run yet")
    assert "SCHEDULED" in line
    caplog.clear()
    tasks[1]["status"] = "RUNNING"
    assert started(result(cluster)).job == OWN
    assert not caplog.messages


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_job_that_ends_before_it_runs_is_reported(cluster: JobManager, state: str) -> None:
    cluster.has(**{OWN: "own"})
    cluster.answers[f"/jobs/{OWN}"] = {"state": state, "vertices": [{"status": "CANCELED"}]}
    with pytest.raises(RuntimeError, match="it could not begin"):
        started(result(cluster))
