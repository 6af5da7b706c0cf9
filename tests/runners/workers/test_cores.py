"""How many cores a process may use: those it may run on, and no more than its container has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runners.workers.cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))


@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("6400000 100000", 8),
        ("", 8),
        ("nonsense", 8),
    ],
)
def test_a_container_may_have_fewer(limit: str, cores: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert usable_cores(tmp_path / "cpu.max") == cores


def test_without_a_container_they_are_those_of_the_machine(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "absent") == 8
