from __future__ import annotations

import pytest

from sinks.objects.checks import listing
from sinks.objects.checks.finding import Findings
from sinks.objects.checks.listing import Listing
from tests.io.sinks.objects.filled_lake import FilledLake


@pytest.fixture
def settled(lake: FilledLake) -> FilledLake:
    """Two settled objects and a manifest."""
    for number in range(2):
        lake.settle(f"t/{number}.jsonl.gz", [{"n": number}], start=number, pending=True)
    lake.publisher.publish()
    return lake


def checked(lake: FilledLake) -> tuple[Listing, dict[str, list[str]]]:
    findings = Findings()
    seen = listing.check(lake.database, lake.sink, lake.store, findings)
    return seen, findings.lines


def test_everything_is_there(settled: FilledLake) -> None:
    assert checked(settled) == (Listing(objects=2), {})


def test_an_object_that_is_gone_is_found(settled: FilledLake) -> None:
    settled.store.delete("t/1.jsonl.gz")
    assert checked(settled) == (Listing(objects=1), {listing.GONE: ["t/1.jsonl.gz"]})


def test_an_object_that_was_replaced_beside_the_program_is_found(settled: FilledLake) -> None:
    (settled.folder / "t/1.jsonl.gz").write_bytes(b"something else")
    assert checked(settled)[1] == {listing.CHANGED: ["t/1.jsonl.gz"]}


def test_what_a_sweep_will_delete_is_no_finding(settled: FilledLake) -> None:
    settled.settle("t/r.parquet", [{"n": 1}], state="replaced")
    settled.settle("t/o.parquet", [{"n": 1}], state="orphan")
    settled.intend("0123456789ab", "t/i.parquet")
    settled.store.create("t/i.parquet", b"")
    assert checked(settled) == (Listing(objects=2, waiting=3), {})


def test_what_the_state_does_not_know_is_named(settled: FilledLake) -> None:
    settled.store.create("t/foreign.parquet", b"")
    names = ["t/foreign.parquet"]
    assert checked(settled) == (Listing(objects=2, foreign=1, foreign_names=names), {})


def test_an_object_that_was_replaced_meanwhile_is_no_finding(
    settled: FilledLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = listing._judge

    def later(*arguments: object) -> None:
        settled.update(2, state="replaced")
        judge(*arguments)  # type: ignore[arg-type]

    settled.store.delete("t/1.jsonl.gz")
    monkeypatch.setattr(listing, "_judge", later)
    assert checked(settled)[1] == {}
