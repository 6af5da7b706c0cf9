"""The checks of transactions see what is not undone, seen too early, or left by a killed process."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.conformance.checks.interruptions import killed, killing, transactions
from pipelines.conformance.checks.interruptions.killing import End
from pipelines.conformance.ground import Ground
from tests.pipelines.conformance.grounds import instead, named, result_of


def test_a_savepoint_that_undoes_nothing_is_seen(tmp_path: Path) -> None:
    check = named(transactions.CHECKS, "transactions.rollback")
    fault = instead("ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
    assert result_of(check, tmp_path, fault).status == "failed"


def test_a_database_that_commits_each_statement_is_seen(tmp_path: Path) -> None:
    check = named(transactions.CHECKS, "transactions.unseen")
    assert result_of(check, tmp_path, instead("BEGIN IMMEDIATE", "SELECT 1")).status == "failed"


def test_a_row_that_a_killed_process_leaves_behind_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LeavingARow:
        """Instead of the interpreter: processes that are killed, but not without a trace."""

        def end_of(self, ground: Ground, table: str, process: int, point: int | str) -> End:
            at = killed.COMMIT if process == 3 else str(point)
            ground.execute(sa.insert(sa.table(table, sa.column("id"))), [{"id": process}])
            return End(-signal.SIGKILL, at)

    monkeypatch.setattr(killing, "killing", lambda: nullcontext(LeavingARow()))
    result = result_of(named(transactions.CHECKS, "transactions.kills"), tmp_path)
    assert result.status == "failed"
    assert result.why.startswith("rows, of the last process alone")
