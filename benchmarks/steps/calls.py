"""Measure steps that call a service, and let the service be slow, gone and silent (``make bench-steps``).

    python -m benchmarks.steps.calls [--only NAME]

It prints a line of JSON for each proof, and fails where one does not hold.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.commands import ingest_command
from benchmarks.steps.service import Service, serving

TEXT = """
import asyncio
import http.client
import threading

PORT = {port}
connections = threading.local()

def get(number):
    connection = getattr(connections, "own", None)
    if connection is None:
        connection = connections.own = http.client.HTTPConnection("127.0.0.1", PORT)
    try:
        connection.request("GET", f"/{{number}}")
        response = connection.getresponse()
        answer = response.read()
    except BaseException:
        connection.close()
        raise
    if response.status != 200:
        error = RuntimeError("refused")
        error.status = response.status
        raise error
    return int(answer)

def call(record):
    return record.with_value({{**record.value, "answer": get(record.value["id"])}})

async def awaited(record):
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    try:
        writer.write(b"GET / HTTP/1.1\\r\\n\\r\\n")
        head = await reader.readuntil(b"\\r\\n\\r\\n")
    finally:
        writer.close()
    return record
"""


class Trial:
    """One run of ``pipelines.ingest`` in a folder of its own."""

    def __init__(self, folder: Path, service: Service, records: int) -> None:
        self.folder = folder
        self.service = service
        (folder / "fn.py").write_text(TEXT.format(port=service.port))
        lines = "".join(f'{{"id":{n}}}\n' for n in range(records))
        (folder / "in.jsonl").write_text(lines)
        with sqlite3.connect(folder / "out.db") as database:
            database.execute("CREATE TABLE events (id integer PRIMARY KEY, answer integer)")

    def start(self, step: str, *more: str) -> subprocess.Popen[bytes]:
        arguments = [
            *(
                "--source",
                str(self.folder / "in.jsonl"),
                "--sink",
                f"sqlite:///{self.folder}/out.db",
            ),
            *("--table", "events", "--key", "id", "--step", f"{self.folder}/fn.py:{step}", *more),
        ]
        command = ingest_command(arguments, self.folder / "summary.json")
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def count(self, table: str = "events") -> int:
        with sqlite3.connect(self.folder / "out.db", timeout=30) as database:
            try:
                return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
            except sqlite3.OperationalError:  # not there yet
                return 0

    def wait_for_rows(self, number: int, process: subprocess.Popen[bytes]) -> None:
        while self.count() < number:
            assert process.poll() is None, "the run has ended"
            time.sleep(0.05)

    def rate(self, step: str, records: int) -> float:
        """Calls a second from the first call to the last; the first batches are left out."""
        process = self.start(step)
        assert process.wait() == 0
        assert self.count() == records
        times = self.service.calls()
        left_out = records // 5
        return (len(times) - left_out - 1) / (times[-1] - times[left_out])


@contextmanager
def trial(seconds: float, records: int) -> Iterator[Trial]:
    with tempfile.TemporaryDirectory() as folder, serving(seconds) as service:
        yield Trial(Path(folder), service, records)


def eight_at_once() -> dict[str, Any]:
    """A service of 50 ms: one call at a time, and eight."""
    rates = {}
    for step, records in (
        ("call", 100),
        ("call?concurrency=8", 2_000),
        ("awaited?concurrency=8", 2_000),
    ):
        with trial(0.05, records) as run:
            rates[step] = run.rate(step, records)
    one, *others = rates.values()
    assert min(others) >= 7.2 * one, rates
    return {"rates": rates, "times": [other / one for other in others]}


def two_hundred_at_once() -> dict[str, Any]:
    """A service of a second: one call at a time, and 200; how much memory that takes."""
    with trial(1.0, 10) as run:
        one = run.rate("call", 10)
    figures: dict[str, Any] = {"one": one}
    for step in ("call?concurrency=200&timeout=30", "awaited?concurrency=200&timeout=30"):
        with trial(1.0, 10_000) as run:
            process = run.start(step)
            memory = []
            while process.poll() is None:
                memory.append(_memory(process.pid))
                time.sleep(0.5)
            assert run.count() == 10_000
            times = run.service.calls()
            rate = 8_000 / (times[-1] - times[-8_001])
            third = len(memory) // 3
            early, late = max(memory[:third]), max(memory[third:])
            figures[step] = {"rate": rate, "times": rate / one, "mb": [early, late]}
            assert rate >= 150 * one, figures
            assert late < early + 60, figures
    return figures


def _memory(process: int) -> float:
    try:
        return float(psutil.Process(process).memory_info().rss / 1e6)
    except psutil.NoSuchProcess:
        return 0.0


def gone() -> dict[str, Any]:
    """The service is closed for 20 s."""
    figures: dict[str, Any] = {}
    for step in ("call", "call?concurrency=8&timeout=5", "awaited?concurrency=8&timeout=5"):
        with trial(0.02, 1_500) as run:
            process = run.start(step)
            run.wait_for_rows(20, process)
            run.service.tell("stop")
            time.sleep(1.0)
            waiting, began = run.count(), len(run.service.calls())
            time.sleep(19.0)
            assert run.count() <= waiting + 8
            run.service.tell("start")
            assert process.wait() == 0
            figures[step] = {
                "rows": run.count(),
                "jobs": run.count("ingest_jobs"),
                "calls": len(run.service.calls()),
                "calls before": began,
            }
            assert (run.count(), run.count("ingest_jobs")) == (1_500, 0), figures
            assert len(run.service.calls()) < 1_500 + 40, figures
    return figures


def refusing() -> dict[str, Any]:
    """The service answers 503 for 20 s: how often it is called meanwhile."""
    figures: dict[str, Any] = {}
    for step in ("call", "call?concurrency=8&timeout=5"):
        with trial(0.02, 1_500) as run:
            process = run.start(step)
            run.wait_for_rows(20, process)
            run.service.tell("status 503")
            time.sleep(1.0)
            before = len(run.service.calls())
            time.sleep(19.0)
            figures[step] = {"calls in 19 s": len(run.service.calls()) - before}
            run.service.tell("status 200")
            assert process.wait() == 0
            figures[step] |= {"rows": run.count(), "jobs": run.count("ingest_jobs")}
            assert (run.count(), run.count("ingest_jobs")) == (1_500, 0), figures
            assert figures[step]["calls in 19 s"] < 40, figures
    return figures


def silent() -> dict[str, Any]:
    """The service accepts calls and never answers: how soon a run ends after SIGTERM."""
    figures = {}
    for step in (
        "call",
        "call?concurrency=8",
        "call?concurrency=8&timeout=60",
        "awaited?timeout=60",
    ):
        with trial(0.02, 1_500) as run:
            process = run.start(step)
            run.wait_for_rows(20, process)
            run.service.tell("status 0")
            time.sleep(3.0)
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait()
            figures[step] = round(time.monotonic() - asked, 2)
            assert figures[step] < 10, figures
            assert run.count("ingest_jobs") == 0
    return figures


def killed() -> dict[str, Any]:
    """SIGKILL in mid-run, again and again: every record is in the table once."""
    with trial(0.02, 3_000) as run:
        kills = 0
        while True:
            process = run.start("call?concurrency=8&timeout=5")
            target = run.count() + 500
            while process.poll() is None and run.count() < target:
                time.sleep(0.05)
            if process.poll() is not None:
                break
            process.kill()
            process.wait()
            kills += 1
        assert process.returncode == 0
        assert run.count() == 3_000
        return {"kills": kills, "rows": run.count(), "calls": len(run.service.calls())}


PROOFS: dict[str, Callable[[], dict[str, Any]]] = {
    proof.__name__: proof
    for proof in (eight_at_once, two_hundred_at_once, gone, refusing, silent, killed)
}


def main(argv: list[str]) -> None:
    """Run the proofs, or one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PROOFS)
    only = parser.parse_args(argv).only
    for name, proof in PROOFS.items():
        if only in (None, name):
            print(json.dumps({name: proof()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
