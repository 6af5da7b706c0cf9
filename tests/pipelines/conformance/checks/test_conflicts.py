"""The checks of conflict rules see rows that are lost, and instants that are cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import conflicts
from tests.pipelines.conformance.grounds import changed, losing, named, result_of


@pytest.mark.parametrize(
    "name", ["conflicts.ignore", "conflicts.update", "conflicts.newest", "conflicts.newest_number"]
)
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(conflicts.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


def test_an_instant_without_its_microseconds_is_seen(tmp_path: Path) -> None:
    check = named(conflicts.CHECKS, "conflicts.newest")
    fault = changed(str, lambda text: text.partition(".")[0], 'INSERT INTO "conflicts_newest"')
    assert result_of(check, tmp_path, fault).status == "failed"


def test_a_row_of_an_equal_key_that_is_lost_is_seen(tmp_path: Path) -> None:
    check = named(conflicts.CHECKS, "conflicts.within")
    assert result_of(check, tmp_path, losing("conflicts_within_ignore")).status == "failed"
