"""The checks of poison see that good records are lost beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import poison
from tests.pipelines.conformance.grounds import losing, named, result_of


@pytest.mark.parametrize(
    "name",
    [
        "poison.one",
        "poison.many",
        "poison.not_null",
        "poison.second_key",
        "poison.too_long",
        "poison.unknown_field",
    ],
)
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(poison.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


def test_a_reference_that_is_not_checked_is_seen(tmp_path: Path) -> None:
    check = named(poison.CHECKS, "poison.foreign_key")
    assert result_of(check, tmp_path, losing("poison_child")).status == "failed"
