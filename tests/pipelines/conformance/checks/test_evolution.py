"""The checks of evolution see values that appear, rows that are lost, and numbers that are cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import evolution
from tests.pipelines.conformance.grounds import Fault, changed, instead, losing, named, result_of

FAULTS: dict[str, Fault] = {
    "add": instead('ADD COLUMN "text" TEXT', "ADD COLUMN \"text\" TEXT DEFAULT ''"),
    "writers": losing("evolution_writers"),
    "narrow": changed(int, lambda number: max(-(1 << 15), min(number, (1 << 15) - 1))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_the_driver_makes_of_a_new_column_is_seen(name: str, tmp_path: Path) -> None:
    result = result_of(named(evolution.CHECKS, f"evolution.{name}"), tmp_path, FAULTS[name])
    assert (result.status, ": expected " in result.why) == ("failed", True), result.why
