"""The audit sees that rows are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import audit
from tests.pipelines.conformance.grounds import losing, named, result_of


@pytest.mark.parametrize("name", ["audit.adds_up"])
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(audit.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"
