"""The checks of order see positions that are not kept, and deletes that do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import order
from tests.pipelines.conformance.grounds import Fault, changed, instead, keeping, named, result_of

FORGETFUL = instead("position = excluded.position, ", "")
FAULTS: dict[str, Fault] = {
    "late": FORGETFUL,
    "any": keeping("order_any"),
    "marks": instead("SET gone=? WHERE", "SET gone=coalesce(gone, ?) WHERE"),
    "again": FORGETFUL,
    "writers": FORGETFUL,
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_not_kept_is_seen(name: str, tmp_path: Path) -> None:
    result = result_of(named(order.CHECKS, f"order.{name}"), tmp_path, FAULTS[name])
    assert (result.status, ": expected " in result.why) == ("failed", True), result.why


def test_positions_kept_as_floating_point_numbers_are_seen(tmp_path: Path) -> None:
    rounded = changed(int, lambda number: int(float(number)), "INSERT INTO ingest_positions")
    result = result_of(named(order.CHECKS, "order.late"), tmp_path, rounded)
    assert result.status == "failed"
