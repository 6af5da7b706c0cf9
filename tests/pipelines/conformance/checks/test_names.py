"""The checks of names see rows that are lost, and names that are cut."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pipelines.conformance.checks import names
from tests.pipelines.conformance.grounds import losing, named, result_of


@pytest.mark.parametrize("name", ["names.columns", "names.label"])
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(names.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


def test_names_that_are_cut_are_seen(tmp_path: Path) -> None:
    def cut(statement: str, values: Any) -> tuple[str, Any]:
        return re.sub(r"\b(\w{63})\w+", r"\1", statement), values

    result = result_of(named(names.CHECKS, "names.long"), tmp_path, cut)
    assert (result.status, "duplicate column name" in result.why) == ("failed", True)


def test_a_table_of_another_name_is_seen(tmp_path: Path) -> None:
    check = named(names.CHECKS, "names.tables")
    assert result_of(check, tmp_path, losing("Mixed Case")).status == "failed"
