"""The checks of instants see microseconds that are lost and hours that are moved."""

from __future__ import annotations

from pathlib import Path

from pipelines.conformance.checks import instants
from tests.pipelines.conformance.grounds import changed, named, result_of


def test_microseconds_that_are_lost_are_seen(tmp_path: Path) -> None:
    cut = changed(str, lambda text: text.partition(".")[0], "INSERT INTO ingest_leases")
    assert result_of(named(instants.CHECKS, "instants.stored"), tmp_path, cut).status == "failed"


def test_a_time_of_another_day_is_seen(tmp_path: Path) -> None:
    moved = changed(str, lambda text: text.replace("20", "19", 1), "INSERT INTO ingest_jobs")
    assert result_of(named(instants.CHECKS, "instants.clock"), tmp_path, moved).status == "failed"


def test_a_lease_that_lasts_no_time_is_seen(tmp_path: Path) -> None:
    short = changed(str, lambda text: text.replace("20", "19", 1), "INSERT INTO ingest_leases")
    assert result_of(named(instants.CHECKS, "instants.leases"), tmp_path, short).status == "failed"
