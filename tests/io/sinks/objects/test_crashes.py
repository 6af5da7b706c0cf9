"""A writer that ends, or is stopped, at any point loses nothing, repeats nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sinks import object_shares
from sinks.entries import Overlap
from sinks.object_shares import ObjectShares, written_objects
from sinks.objects import publish, writing
from sinks.objects.intents import Superseded
from sinks.objects.publish import Publisher
from sinks.objects.store import ObjectChanged
from sinks.sql import SqlSink
from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import make_batch
from transforms.batch.backoff import Backoff
from transforms.batch.record import RecordBatch
from transforms.errors import SinkUnavailable
from transforms.settle.sink import Settled


class Crash(Exception):
    """The process ends here."""


def crash(*_: Any, **__: Any) -> Any:
    raise Crash


def crash_after(call: Callable[..., Any]) -> Callable[..., Any]:
    def crashing(*arguments: Any, **options: Any) -> Any:
        call(*arguments, **options)
        raise Crash

    return crashing


def batch(start: int, end: int, **options: Any) -> RecordBatch:
    return make_batch([{"id": n, "type": "a"} for n in range(start, end)], start, **options)


def write(sink: SqlSink, *batches: RecordBatch) -> list[Settled]:
    settled = sink.commit(batches)
    sink.finish()
    return settled


def in_mid_commit(sink: SqlSink, batches: Sequence[RecordBatch]) -> ObjectShares:
    """Do what a commit does before its transaction."""
    assert sink.objects is not None
    return written_objects(sink.objects, sink.config, "", batches)


def finish_commit(
    sink: SqlSink,
    shares: ObjectShares,
    batches: Sequence[RecordBatch],
    monkeypatch: pytest.MonkeyPatch,
) -> list[Settled]:
    """Go on with a commit that had written ``shares``, to the end of its transaction."""
    with monkeypatch.context() as patch:
        patch.setattr(object_shares, "written_objects", lambda *_: shares)
        return sink._commit(batches, isolate=False, look_again=False)


class TestCrashes:
    def test_after_the_intents_are_entered(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        sink = lake.sink()
        with monkeypatch.context() as patch:
            patch.setattr(object_shares, "write", crash)
            with pytest.raises(Crash):
                sink.commit([batch(0, 3)])
        assert lake.intents() == [(0, 3, 1)]
        assert lake.listed() == []
        assert lake.ids() == []
        write(lake.sink(), batch(0, 3))
        assert lake.ids() == [0, 1, 2]
        assert (lake.intents(), lake.states()) == ([], ["settled"])

    def test_after_the_objects_are_written(
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = lake.sink()
        with monkeypatch.context() as patch:
            patch.setattr(object_shares, "write", crash_after(writing.write))
            with pytest.raises(Crash):
                sink.commit([batch(0, 3)])
        (name,) = lake.listed()
        assert lake.sink().fields() is not None
        assert lake.ids() == []
        # Read again together with what follows: the range that was intended is an object of its own.
        write(lake.sink(), batch(0, 2), batch(2, 5))
        assert lake.ids() == [0, 1, 2, 3, 4]
        assert name in lake.listed(), "the object has replaced itself"
        assert len(lake.listed()) == 2
        assert lake.states() == ["settled", "settled"]

    def test_after_the_transaction_and_before_the_manifest(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        sink = lake.sink()
        with monkeypatch.context() as patch:
            patch.setattr(Publisher, "publish_now_and_then", crash)
            with pytest.raises(Crash):
                sink.commit([batch(0, 3)])
        assert lake.ids() == []
        lake.sink()
        assert lake.ids() == [0, 1, 2], "the next start publishes it"
        (settled,) = write(lake.sink(), batch(0, 3))
        assert (settled.trimmed, settled.counts.records) == (3, 0)
        assert lake.ids() == [0, 1, 2]

    def test_between_the_manifest_and_its_entry_in_the_state(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        sink = lake.sink()
        with monkeypatch.context() as patch:
            patch.setattr(Publisher, "_enter", crash)
            with pytest.raises(Crash):
                sink.commit([batch(0, 3)])
        assert lake.ids() == [0, 1, 2]
        number = lake.publisher.root()[0].number
        lake.sink()
        assert lake.ids() == [0, 1, 2]
        assert lake.publisher.root()[0].number == number, "nothing was to be changed"
        rows = lake.database.rows("SELECT pending, published FROM ingest_objects")
        assert [(bool(pending), known) for pending, known in rows] == [(False, number)]

    def test_a_bundle_that_ends_within_an_intent_makes_orphans_of_it(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        sink = lake.sink()
        in_mid_commit(sink, [batch(0, 4)])
        (orphan,) = lake.listed()
        write(lake.sink(), batch(0, 2))
        write(lake.sink(), batch(2, 6))
        assert lake.ids() == [0, 1, 2, 3, 4, 5]
        names = lake.database.rows("SELECT name FROM ingest_objects WHERE state = 'orphan'")
        assert names == [(orphan,)], "known, to be swept"
        assert orphan not in [entry.name for entry in lake.publisher.entries()]

    def test_folders_that_are_other_ones_now_leave_orphans(self, local_lake: Lake) -> None:
        lake = local_lake
        in_mid_commit(lake.sink("?partition=type"), [batch(0, 3)])
        (orphan,) = lake.listed()
        assert orphan.startswith("events/type=a/")
        write(lake.sink(), batch(0, 3))
        assert lake.ids() == [0, 1, 2]
        assert lake.database.rows("SELECT name FROM ingest_objects WHERE state = 'orphan'") == [
            (orphan,)
        ]


class TestStoppedWriters:
    """A writer is stopped for long, and goes on after another has taken over."""

    def test_its_object_does_not_come_back(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        batches = [batch(0, 3)]
        stopped = lake.sink()
        plans = []
        with monkeypatch.context() as patch:
            patch.setattr(object_shares, "write", crash_after(lambda plan, _: plans.append(plan)))
            with pytest.raises(Crash):
                stopped.commit(batches)
        write(lake.sink(), *batches)
        before = lake.rows()
        with pytest.raises(Superseded):
            writing.write(plans[0], lake.database.database)
        assert lake.rows() == before
        assert len(lake.listed()) == 1

    def test_its_object_does_not_come_back_after_it_has_seen_the_new_one(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        # The first attempt leaves an object, the second is stopped just before it replaces it.
        batches = [batch(0, 3)]
        in_mid_commit(lake.sink(), batches)
        store = type(lake.publisher.store)
        replace_object = store.replace
        calls: list[Callable[[], str]] = []

        def stop(self: Any, name: str, data: bytes, etag: str) -> str:
            if name.startswith("_"):
                return replace_object(self, name, data, etag)
            calls.append(lambda: replace_object(self, name, data, etag))
            raise Crash

        with monkeypatch.context() as patch:
            patch.setattr(store, "replace", stop)
            with pytest.raises(Crash):
                lake.sink().commit(batches)
        write(lake.sink(), *batches)
        before = lake.rows()
        with pytest.raises(ObjectChanged):
            calls[0]()
        assert lake.rows() == before

    def test_its_transaction_settles_nothing(
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batches = [batch(0, 3)]
        stopped = lake.sink()
        shares = in_mid_commit(stopped, batches)
        # The other one has taken over, and has not settled yet: only the fence tells.
        other = in_mid_commit(lake.sink(), batches)
        with pytest.raises(Overlap):
            finish_commit(stopped, shares, batches, monkeypatch)
        assert lake.states() == []
        finish_commit(lake.sink(), other, batches, monkeypatch)
        with pytest.raises(Overlap):
            finish_commit(stopped, shares, batches, monkeypatch)
        stopped.finish()
        assert (lake.ids(), lake.states()) == ([0, 1, 2], ["settled"])

    def test_its_manifest_does_not_come_back(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        sink = lake.sink()
        sink.commit([batch(0, 3)])
        sink.finish()
        sink.commit([batch(3, 5)])
        puts: list[Callable[[], bool]] = []
        put = Publisher._put

        def stop(self: Publisher, *arguments: Any) -> bool:
            puts.append(lambda: put(self, *arguments))
            raise SinkUnavailable("stopped")

        with monkeypatch.context() as patch:
            patch.setattr(Publisher, "_put", stop)
            with pytest.raises(SinkUnavailable):
                sink.finish()
        write(lake.sink(), batch(5, 6))
        number = lake.publisher.root()[0].number
        assert puts[0]() is False
        assert lake.ids() == [0, 1, 2, 3, 4, 5]
        assert lake.publisher.root()[0].number == number

    def test_writers_that_publish_at_once_both_succeed(
        self, local_lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lake = local_lake
        one, other = lake.sink(), lake.sink()
        one.commit([batch(0, 2)])
        one.commit([batch(2, 3)])
        put = Publisher._put
        monkeypatch.setattr(publish, "_BACKOFF", Backoff(base=0.001, cap=0.001))

        def meddle(self: Publisher, *arguments: Any) -> bool:
            monkeypatch.setattr(Publisher, "_put", put)
            other.commit([batch(3, 5)])
            other.finish()
            return put(self, *arguments)

        monkeypatch.setattr(Publisher, "_put", meddle)
        one.finish()
        assert lake.ids() == [0, 1, 2, 3, 4]
