"""Compaction beside writers: a reader of the manifest sees every record once, at any time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from sinks import object_shares
from sinks.database.database import Database
from sinks.objects.checks import listing, manifest
from sinks.objects.checks.accounts import state_of
from sinks.objects.checks.finding import Findings
from sinks.objects.compaction import segments
from sinks.objects.compaction.compact import Compacted, Compaction, compact
from sinks.objects.compaction.swap import Actor
from sinks.objects.compaction.sweep import Sweep, sweep
from sinks.objects.writing import write
from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import make_batch
from transforms.batch.record import RecordBatch

BY = Actor("ada", "because")
BATCHES = 12


class Crash(Exception):
    """The process ends here."""


def write_and_crash(*arguments: Any, **options: Any) -> Any:
    """What a commit does before its transaction, and no more."""
    write(*arguments, **options)
    raise Crash


def batch(start: int, end: int) -> RecordBatch:
    return make_batch([{"id": n, "type": "a"} for n in range(start, end)], start)


def state(lake: Lake) -> Database:
    return lake.database.database


def merge(lake: Lake) -> Compacted:
    """One compaction, which publishes what it has done."""
    publisher = lake.publisher
    done = compact(
        Compaction(
            state(lake), publisher.store, publisher.url, 10**6, BY, lambda: None, publisher.publish
        )
    )
    publisher.publish()
    return done


def clean(lake: Lake) -> None:
    """Delete everything that no manifest names, at once."""
    publisher = lake.publisher
    work = Sweep(state(lake), publisher.store, publisher.url, timedelta(0), BY, lambda: None)
    sweep(work)
    segments.sweep(work, publisher)


def check(lake: Lake) -> None:
    """What ``sluice audit --objects`` does."""
    findings = Findings()
    publisher = lake.publisher
    manifest.check(publisher, findings)
    seen = listing.check(state(lake), publisher.url, publisher.store, findings)
    assert findings.texts() == []
    assert seen.foreign_names == []
    (dataset,) = state_of(state(lake), publisher.url).datasets
    assert dataset.rows == dataset.inserted


def test_what_a_sink_has_written_is_merged_and_swept(lake: Lake) -> None:
    sink = lake.sink()
    for start in range(0, 30, 10):
        sink.commit([batch(start, start + 10)])
    sink.finish()
    assert len(lake.listed()) == 3
    assert merge(lake).problems == []
    assert lake.ids() == list(range(30))
    clean(lake)
    assert len(lake.listed()) == 1
    assert lake.ids() == list(range(30))
    check(lake)
    sink.commit([batch(30, 40)])
    sink.finish()
    assert lake.ids() == list(range(40))


def test_writers_and_two_compactions_beside_each_other(lake: Lake) -> None:
    sink = lake.sink()
    written = threading.Event()

    def write_all() -> None:
        try:
            for number in range(BATCHES):
                sink.commit([batch(number * 5, number * 5 + 5)])
                lake.publisher.publish()
        finally:
            written.set()

    def merge_on_and_on(*, sweeping: bool) -> None:
        last = False
        while not last:
            last = written.is_set()
            merge(lake)
            if sweeping:
                clean(lake)

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(write_all)]
        futures += [pool.submit(merge_on_and_on, sweeping=sweeping) for sweeping in (True, False)]
        for future in futures:
            future.result(timeout=120)
    lake.publisher.publish()
    assert lake.ids() == list(range(BATCHES * 5))
    merge(lake)
    clean(lake)
    clean(lake)
    assert len(lake.listed()) == 1
    assert lake.ids() == list(range(BATCHES * 5))
    check(lake)


def test_a_sweep_leaves_what_a_crashed_writer_will_write_again(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = local_lake
    sink = lake.sink()
    sink.commit([batch(0, 5)])
    sink.finish()

    with monkeypatch.context() as patch:
        patch.setattr(object_shares, "write", write_and_crash)
        with pytest.raises(Crash):
            sink.commit([batch(5, 10)])
    before = lake.listed()
    assert len(before) == 2
    merge(lake)
    clean(lake)
    assert lake.listed() == before
    lake.sink().commit([batch(5, 10)])
    lake.publisher.publish()
    assert lake.listed() == before, "the object has replaced itself"
    merge(lake)
    clean(lake)
    assert lake.ids() == list(range(10))
    check(lake)


def test_a_sweep_deletes_what_a_crashed_writer_has_given_up(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = local_lake
    sink = lake.sink()

    with monkeypatch.context() as patch:
        patch.setattr(object_shares, "write", write_and_crash)
        with pytest.raises(Crash):
            sink.commit([batch(0, 10)])
    (lost,) = lake.listed()
    again = lake.sink()
    again.commit([batch(0, 4)])  # a bundle that ends within the range
    again.finish()
    again.commit([batch(4, 10)])
    again.finish()
    assert lost in lake.listed()
    clean(lake)
    assert lost not in lake.listed()
    assert lake.ids() == list(range(10))
    check(lake)
