"""The programs of ``pipelines``, and others like them, as processes of their own, which can be signalled and killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.pipelines.tables import count_rows
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running(
    argv: Sequence[str], program: str = "ingest", within: str = "pipelines"
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs; it is killed at the end unless it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"{within}.{program}", *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is not for it
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_rows(
    process: subprocess.Popen[str], sink: str, count: int, *, table: str = "events"
) -> None:
    """Wait until the table has at least ``count`` rows; fails when ``process`` ends before."""

    def alive() -> bool:
        assert process.poll() is None, (
            f"ended with {process.returncode} before {count} rows: {process.communicate()}"
        )
        return True

    wait_until(lambda: count_rows(sink, table) >= count, f"{count} rows", alive=alive)
