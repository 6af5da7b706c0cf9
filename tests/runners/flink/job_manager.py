"""A stand-in for Flink's JobManager, and for what Beam returns of a job that it has."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from apache_beam.runners.runner import PipelineState

from runners.beam.private import with_mark
from runners.flink.rest import FlinkRest
from runners.flink.submission import Marked

OWN, THEIRS, OLD = "0" * 32, "1" * 32, "2" * 32


class JobManager:
    """Answers as Flink's REST API does; ``answers`` may be changed at any time."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"/jobs": {"jobs": []}}
        self.requests: list[str] = []
        self.cancels = False  # whether a job that is to be cancelled ends
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

            def do_PATCH(self) -> None:
                manager.requests.append(f"PATCH {self.path}")
                job = self.path.partition("?")[0]
                if manager.cancels and job in manager.answers:
                    manager.answers[job] = {"state": "CANCELED"}
                self.send_response(202)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

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


def result(cluster: JobManager, state: str = PipelineState.RUNNING) -> Any:
    """What Beam has returned for a job with the mark ``own``."""

    def wait_until_finish() -> None:
        raise RuntimeError("Pipeline x failed in state FAILED: it could not begin")

    beams = SimpleNamespace(state=state, wait_until_finish=wait_until_finish)
    return with_mark(beams, Marked(cluster.rest, "own", {OLD}))


def reported(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the runners have logged: threads of earlier tests may log too."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("runners")]
