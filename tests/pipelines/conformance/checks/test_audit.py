"""The audit sees a ledger that counts wrong."""

from __future__ import annotations

from pathlib import Path

from pipelines.conformance.checks import audit
from tests.pipelines.conformance.grounds import changed, named, result_of


def test_counts_that_are_wrong_are_seen(tmp_path: Path) -> None:
    check = named(audit.CHECKS, "audit.adds_up")
    more = changed(int, lambda number: number + 1, "INSERT INTO ingest_counts")
    assert result_of(check, tmp_path, more).status == "failed"
