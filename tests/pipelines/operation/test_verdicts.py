"""When the audit finds fault with a partition; whole audits are in ``tests/pipelines/test_audit.py``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.operation.verdicts import Verdict, verdicts
from sinks.ledger.accounts import Account
from sinks.ledger.ledger import PartitionProgress
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage
from transforms.errors import ConfigError

WHOLE = Coverage(((0, 30),), 30)
ADDS_UP = Counts(read=3, inserted=1, dead=1, retrying=1)


def verdict(
    coverage: Coverage = WHOLE,
    counts: Counts = ADDS_UP,
    *,
    retrying: int = 1,
    dead: int = 1,
    purged: int = 0,
    table: Counts | None = None,
) -> Verdict:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    progress = PartitionProgress("t", "file:///a", "0", coverage, counts, at)
    return Verdict.of(
        Account(progress, retrying, dead, purged, {"t": counts if table is None else table})
    )


def test_a_partition_without_gap_that_adds_up_and_has_its_jobs_is_ok() -> None:
    assert verdict().ok
    assert verdict(Coverage(((0, 30),), None)).ok, "one that is still read, too"
    assert verdict(dead=0, purged=1).ok, "a dead letter may be purged"


@pytest.mark.parametrize(
    "faulty",
    [
        verdict(Coverage(((0, 10), (20, 30)), 30)),
        verdict(counts=Counts(read=4, inserted=1, dead=1, retrying=1)),
        verdict(retrying=0),
        verdict(dead=2),
        verdict(dead=0),
        verdict(table=Counts(read=3, inserted=2, dead=1)),
    ],
    ids=["gap", "sum", "job missing", "job too many", "dead letter deleted", "tables"],
)
def test_another_is_not(faulty: Verdict) -> None:
    assert not faulty.ok
    assert faulty.as_json()["ok"] is False


def test_a_source_that_cannot_be_read_is_refused_before_the_database_is_asked() -> None:
    with pytest.raises(ConfigError, match="unknown scheme 'ftp'"):
        list(verdicts("postgresql://u@127.0.0.1:9/db", "ftp://x"))
