"""When the audit finds fault with a partition; whole audits are in ``tests/pipelines/test_audit.py``."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.operation.verdicts import Verdict, verdicts
from sinks.ledger.accounts import Account, Stored
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
    tables = {"t": counts if table is None else table}
    stored = {"t": Stored(retrying, dead, purged)}
    return Verdict.of(Account(progress, retrying, dead, purged, tables, stored))


def routed(tables: dict[str, Counts], stored: dict[str, Stored]) -> Verdict:
    """The verdict on a partition whose ledger has the sums of its tables and of their jobs."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    whole = sum(tables.values(), Counts())
    progress = PartitionProgress("p", "file:///a", "0", WHOLE, whole, at)
    jobs = list(stored.values())
    retrying, dead = sum(each.retrying for each in jobs), sum(each.dead for each in jobs)
    return Verdict.of(
        Account(progress, retrying, dead, sum(each.purged for each in jobs), tables, stored)
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


@pytest.mark.parametrize(
    ("faulty", "complaint"),
    [
        (verdict(Coverage(((0, 10), (20, 30)), 30)), "not settled: 10–20"),
        (
            verdict(Coverage(tuple((i, i + 1) for i in range(0, 20, 2)), 19)),
            "not settled: 1–2, 3–4, 5–6, 7–8, 9–10 and more",
        ),
        (
            verdict(counts=Counts(read=4, inserted=1, dead=1, retrying=1)),
            "4 read, but 1 inserted + 0 updated + 0 deleted + 0 duplicates + 0 filtered + 1 dead + 1 retrying + 0 rewound",
        ),
        (
            verdict(dead=0, purged=3),
            "the ledger has 1 dead and 1 retrying, but there are 0 jobs that are dead, "
            + "3 that were purged, and 1 that wait",
        ),
        (
            verdict(table=Counts(read=3, inserted=2, dead=1)),
            "the counts of its tables do not add up to those of the ledger",
        ),
        (verdict(), ""),
    ],
)
def test_what_is_wrong_is_said_with_its_figures(faulty: Verdict, complaint: str) -> None:
    assert faulty.complaint == complaint


def test_tables_are_judged_one_by_one_though_their_sum_is_right() -> None:
    orders, payments = Counts(read=2, inserted=1, dead=1), Counts(read=3, inserted=3)
    jobs = {"orders": Stored(dead=1)}
    assert routed({"orders": orders, "payments": payments}, jobs).ok
    read = {"orders": Counts(read=1, inserted=1, dead=1), "payments": Counts(read=4, inserted=3)}
    shifted = routed(read, jobs)
    assert not shifted.ok
    assert shifted.complaint.count("read, but") == 2, "both tables, not the whole"
    assert shifted.complaint.startswith("table orders: 1 read, but 1 inserted")
    elsewhere = routed({"orders": orders, "payments": payments}, {"payments": Stored(dead=1)})
    assert not elsewhere.ok
    assert elsewhere.as_json()["faulty_tables"] == ["orders", "payments"]
    assert "table orders has 1 dead and 0 retrying, but there are 0 jobs" in elsewhere.complaint


def test_a_source_that_cannot_be_read_is_refused_before_the_database_is_asked() -> None:
    with pytest.raises(ConfigError, match="unknown scheme 'ftp'"):
        list(verdicts("postgresql://u@127.0.0.1:9/db", "ftp://x"))
