"""A ledger that has nothing."""

from __future__ import annotations

from pipelines.planning.no_ledger import NoLedger
from transforms.batch.coverage import VersionedLedger


def test_nothing_is_settled() -> None:
    ledger = NoLedger()
    assert isinstance(ledger, VersionedLedger)
    assert ledger.is_empty()
    assert ledger.coverage([("a", "b")]) == {}
    assert ledger.partitions("a") == {}
    assert ledger.versions(["a"]) == ledger.elsewhere(["b"]) == {}
