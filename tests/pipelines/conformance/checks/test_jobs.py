"""The checks of jobs see that the rows of retries are lost, and what is taken or purged but stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.conformance.checks import jobs
from tests.pipelines.conformance.grounds import instead, keeping, losing, named, result_of

FAULTS = {
    "claims": (keeping("ingest_queue"), "jobs taken: "),
    "give_back": (
        instead("DELETE FROM ingest_claims WHERE", "DELETE FROM ingest_claims WHERE 0 AND"),
        "not true: jobs that are given back wait again",
    ),
    "zombie": (
        instead(
            "FROM ingest_claims \nWHERE ingest_claims.id IN (?)",
            "FROM (SELECT ? AS id, 'x' AS lease, '2026-01-01 00:00:00.000000' AS attempted_at, owner "
            "FROM ingest_jobs LIMIT 1) AS ingest_claims",
        ),
        "what the one that is late settles: ",
    ),
    "purge": (keeping("ingest_jobs"), "jobs left: "),
    "cancel": (keeping("ingest_queue"), "jobs taken after that: "),
}
"""Drivers that keep what they say is deleted, delete nothing, or read what is gone; and what is seen."""


@pytest.mark.parametrize("name", ["jobs.retries", "jobs.leases", "jobs.replay"])
def test_a_driver_that_loses_rows_is_seen(name: str, tmp_path: Path) -> None:
    check = named(jobs.CHECKS, name)
    assert result_of(check, tmp_path, losing(check.table)).status == "failed"


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_taken_or_removed_and_still_there_is_seen(name: str, tmp_path: Path) -> None:
    fault, why = FAULTS[name]
    result = result_of(named(jobs.CHECKS, f"jobs.{name}"), tmp_path, fault)
    assert (result.status, result.why[: len(why)]) == ("failed", why)
