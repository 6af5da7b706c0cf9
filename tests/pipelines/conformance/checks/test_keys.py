"""The checks of keys see rows that are lost, and keys that are changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import keys
from tests.pipelines.conformance.grounds import changed, losing, named, result_of


@pytest.mark.parametrize("name", ["keys.numbers", "keys.compound", "keys.missing", "keys.origin"])
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(keys.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


def test_a_key_that_the_driver_changes_is_seen(tmp_path: Path) -> None:
    check = named(keys.CHECKS, "keys.collation")
    fault = changed(str, str.lower, 'INSERT INTO "keys_collation"')
    assert result_of(check, tmp_path, fault).status == "failed"
