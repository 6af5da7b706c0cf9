"""The checks of names see rows that are lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import names
from tests.pipelines.conformance.grounds import losing, named, result_of


@pytest.mark.parametrize("name", ["names.columns", "names.label"])
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(names.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


def test_a_table_of_another_name_is_seen(tmp_path: Path) -> None:
    check = named(names.CHECKS, "names.tables")
    assert result_of(check, tmp_path, losing("Mixed Case")).status == "failed"
