"""A storage that is away, or slow, while it is watched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources.files.json.layout import LINES
from sources.files.plan import SettledSoFar
from sources.files.source import FilesSource
from sources.files.watch import WatchedStorage, WatchReader
from sources.storage.objects import StoredObject
from tests.io.sources.files.watching import records, until
from tests.io.sources.reading import MemoryLedger, raws
from transforms.background import in_background
from transforms.batch.backoff import Backoff
from transforms.batch.splits import Split
from transforms.errors import SourceUnavailable
from transforms.read import drain


class Away:
    """A storage whose listing fails a number of times, and a clock that waiting moves."""

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.tries: list[float] = []
        self.now = 0.0

    def list(self) -> Iterator[StoredObject]:
        self.tries.append(self.now)
        if len(self.tries) <= self.faults:
            raise SourceUnavailable("S3 is away")
        yield from ()

    def clock(self) -> float:
        self.now += 0.01  # so that a loop without a pause ends too
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False

    def reader(self, monkeypatch: pytest.MonkeyPatch, budget: float) -> WatchReader:
        monkeypatch.setattr(drain, "wait", self.wait)
        watched = WatchedStorage(
            list=self.list,
            splits=lambda stored, coverage, layout: iter(()),
            settled=lambda page, _: [SettledSoFar() for stored in page],
            layout=lambda stored, settled: LINES,
            open=lambda split: pytest.fail("there is nothing to open"),
            interval=1_000.0,
            outage_budget=budget,
            backoff=Backoff(base=1.0, cap=8.0),
        )
        return WatchReader(watched, clock=self.clock)


def test_outage_is_waited_out_with_backoff_within_each_poll_s_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outage = Away(faults=6)
    reader = outage.reader(monkeypatch, budget=300)
    while len(outage.tries) < 7:
        before = outage.now
        assert not reader.poll(0.5).batches
        assert outage.now - before < 1.0
        assert outage.now < 300
    pauses = [b - a for a, b in zip(outage.tries, outage.tries[1:], strict=False)]
    for pause, ceiling in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert ceiling / 2 <= pause <= ceiling + 1


def test_outage_longer_than_the_budget_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    outage = Away(faults=1_000)
    reader = outage.reader(monkeypatch, budget=20)
    while outage.now < 19:
        assert not reader.poll(0.5).batches
    with pytest.raises(SourceUnavailable, match="S3 is away"):
        reader.poll(20)
    assert 20 <= outage.now < 40


def test_slow_listing_does_not_hold_a_poll(tmp_path: Path, ledger: MemoryLedger) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n")
    bounded = FilesSource(f"{tmp_path}/*.jsonl")
    gate = Path(tmp_path / "gate")

    def slow() -> Iterator[StoredObject]:
        while not gate.exists():
            time.sleep(0.01)
        yield from bounded.storage.list(bounded.uri)

    watched = WatchedStorage(
        list=slow,
        splits=lambda stored, coverage, layout: iter(
            [Split("w", stored.uri, stored.version, stored.size)]
        ),
        settled=lambda page, _: [SettledSoFar() for stored in page],
        layout=lambda stored, settled: LINES,
        open=lambda split: bounded.open(split, (), ledger),
        interval=0.05,
        outage_budget=10,
    )
    reader = WatchReader(watched)
    assert not in_background(lambda: reader.poll(0.1), "poll").result(30).batches
    gate.touch()
    assert raws(until(reader, records(1))) == [b"1"]
    reader.close()
