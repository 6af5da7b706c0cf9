"""The checks of writers see that rows are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import writers
from tests.pipelines.conformance.grounds import losing, named, result_of


@pytest.mark.parametrize(
    "name", ["writers.same_keys", "writers.new_keys", "writers.newest", "writers.same_range"]
)
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(writers.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"
