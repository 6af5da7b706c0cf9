"""The project's commands, run as a user would run them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def ingest(arguments: Sequence[str], summary: Path) -> dict[str, Any]:
    """Run ``pipelines.ingest`` on DirectRunner to its end; returns the summary.

    Args:
        arguments: Its flags, other than those for the runner and the summary.
        summary: Where the summary is written.
    """
    subprocess.run(ingest_command(arguments, summary), check=True, stdout=subprocess.DEVNULL)
    figures: dict[str, Any] = json.loads(summary.read_text())
    return figures


def ingest_command(arguments: Sequence[str], summary: Path) -> list[str]:
    """The command line of ``ingest``."""
    return [
        *(sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner", "--no_progress"),
        *("--summary_json", str(summary), *arguments),
    ]


def audit(sink: str) -> list[dict[str, Any]]:
    """What ``pipelines.audit`` says of every partition; fails unless it exits with 0."""
    partitions: list[dict[str, Any]] = _printed_json("pipelines.audit", "--sink", sink)
    return partitions


def dead_letters(*arguments: str) -> Any:
    """What an action of ``pipelines.dead_letters`` prints."""
    return _printed_json("pipelines.dead_letters", *arguments)


def publish(*arguments: str) -> None:
    """Run ``pipelines.outbox`` to its end; fails unless it exits with 0."""
    subprocess.run([sys.executable, "-m", "pipelines.outbox", *arguments], check=True)


def _printed_json(module: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{module} ended with {done.returncode}: {done.stdout}"
    return json.loads(done.stdout)


def killed_within(command: Sequence[str], seconds: float) -> bool:
    """Run ``command`` and kill it (SIGKILL) after ``seconds``; False if it ended before."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def killed_once(
    process: subprocess.Popen[bytes], reached: Callable[[], bool], poll_seconds: float = 0.01
) -> bool:
    """Kill ``process`` (SIGKILL) once ``reached`` holds; False if it ended before."""
    try:
        while process.poll() is None:
            if reached():
                return process.poll() is None
            time.sleep(poll_seconds)
    finally:
        process.kill()
        process.wait()
    return False
