"""Each process has records of its own."""

from __future__ import annotations

from pathlib import Path

from pipelines.conformance.checks.interruptions import killed
from tests.pipelines.conformance.grounds import sqlite_ground


def test_no_two_processes_write_the_same(tmp_path: Path) -> None:
    assert set(killed.numbers(0)).isdisjoint(killed.numbers(1))
    with sqlite_ground(tmp_path) as ground:
        sink = ground.sink("events", key=["id"], schema=killed.SCHEMA)
        first, second = (killed.batch(sink, process) for process in range(2))
    assert first.span.partition != second.span.partition
    assert first.read == killed.SIZE + 1
