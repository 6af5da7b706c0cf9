"""The checks of jobs see that the rows of retries are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import jobs
from tests.pipelines.conformance.grounds import losing, named, result_of


@pytest.mark.parametrize("name", ["jobs.retries", "jobs.leases", "jobs.replay"])
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(jobs.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"
