"""Outages are not offered by a database in this process; the suite's run on Postgres has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.check import Check
from pipelines.conformance.checks.interruptions import outages
from tests.pipelines.conformance.grounds import result_of


@pytest.mark.parametrize("check", outages.CHECKS, ids=lambda check: check.name)
def test_a_database_in_this_process_has_no_connection_to_lose(check: Check, tmp_path: Path) -> None:
    result = result_of(check, tmp_path)
    assert (result.status, result.why[:35]) == (
        "not offered",
        "the database runs in this process, ",
    )
