"""The checks of the ledger see that rows are lost, and that it takes several sources for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import ledger
from tests.pipelines.conformance.grounds import changed, losing, named, result_of


@pytest.mark.parametrize(
    "name", ["ledger.again", "ledger.overlap", "ledger.many", "ledger.names", "ledger.large"]
)
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(ledger.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


def test_sources_that_are_taken_for_one_are_seen(tmp_path: Path) -> None:
    check = named(ledger.CHECKS, "ledger.names")
    lower = changed(str, lambda text: text.replace("/A", "/a"), "INSERT INTO ingest_progress")
    assert result_of(check, tmp_path, lower).status == "failed"
