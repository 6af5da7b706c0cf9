"""What the comparison with a plain loader on SQLite measures, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.files import sqlite_loader
from benchmarks.files.sqlite import Cost, contents, cost_of, fresh, shares_of
from sinks.database.backends.sqlite import CACHE_KIB


def _event(number: int, **other: object) -> dict[str, object]:
    event: dict[str, object] = {"event_id": f"e{number}", "user_id": number, "type": "view"}
    event |= {"occurred_at": "2026-01-01", "amount": None, "currency": None, "props": {"a": [1]}}
    return event | other


class TestContents:
    def test_what_the_loader_writes_is_summed_up(self, tmp_path: Path) -> None:
        database, lines = tmp_path / "events.db", tmp_path / "events.jsonl"
        fresh(database)
        records = [_event(1), _event(2, amount=1.25, currency="EUR"), _event(2, amount=7)]
        lines.write_text("".join(json.dumps(record) + "\n" for record in records))

        loaded = sqlite_loader.load(database, [lines])

        letters = 2 * len("e1view2026-01-01")
        assert loaded == 3
        assert contents(database) == (2, 3, 125, 1, 1, letters, 2 * len('{"a":[1]}'))

    def test_the_loader_has_the_memory_that_this_project_takes(self) -> None:
        assert sqlite_loader.CACHE_KIB == CACHE_KIB

    def test_a_fresh_database_is_empty(self, tmp_path: Path) -> None:
        database = tmp_path / "events.db"
        fresh(database)
        fresh(database)

        assert contents(database)[0] == 0


class TestCost:
    def test_a_command_that_fails_ends_the_measurement(self, tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match="failed"):
            cost_of([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"], tmp_path)

    def test_the_share_is_the_median_of_the_rounds(self) -> None:
        ours = Cost(wall=10.0, cpu=4.0)
        rounds = [(Cost(5.0, 4.0), ours), (Cost(20.0, 8.0), ours), (Cost(9.0, 2.0), ours)]

        assert shares_of(rounds) == (0.9, 1.0)
