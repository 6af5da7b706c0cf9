"""The manifest follows the state."""

from __future__ import annotations

import pytest

from sinks.objects import publish
from sinks.objects.folder_store import FolderStore
from sinks.objects.manifest import Segment
from sinks.objects.names import SEGMENTS
from sinks.objects.publish import TURNS, Publisher
from sinks.objects.store import ObjectExists
from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import make_batch
from transforms.batch.backoff import Backoff
from transforms.errors import Contention, SinkFailed, SinkUnavailable


def test_only_what_is_pending_is_published(lake: Lake) -> None:
    sink = lake.sink()
    sink.commit([make_batch([{"id": 1}])])
    assert lake.ids() == [1], "a process publishes its first commit at once"
    sink.commit([make_batch([{"id": 2}], 1)])
    assert lake.ids() == [1], "and others at most once a second"
    assert lake.publisher.publish() == 2
    assert lake.ids() == [1, 2]
    assert lake.publisher.publish() is None
    assert lake.database.rows("SELECT number FROM ingest_manifests") == [(2,)]
    assert lake.database.rows("SELECT published FROM ingest_objects ORDER BY id") == [(1,), (2,)]


def test_a_replacement_is_published_as_a_whole(local_lake: Lake) -> None:
    sink = local_lake.sink()
    sink.commit([make_batch([{"id": 1}])])
    sink.commit([make_batch([{"id": 2}], 1)])
    sink.finish()
    # As a compaction does it; the first object stands for what the two have become.
    local_lake.database.run(
        "UPDATE ingest_objects SET state = 'replaced', pending = 1 WHERE id = 2"
    )
    local_lake.publisher.publish()
    assert local_lake.ids() == [1]


def test_what_changes_in_the_state_meanwhile_stays_pending(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = local_lake.sink()
    sink.commit([make_batch([{"id": 1}])])
    sink.commit([make_batch([{"id": 2}], 1)])
    put = Publisher._put

    def replaced(self: Publisher, *arguments: object) -> bool:
        local_lake.database.run("UPDATE ingest_objects SET state = 'replaced' WHERE id = 2")
        return put(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "_put", replaced)
        local_lake.publisher.publish()
    assert local_lake.ids() == [1, 2]
    local_lake.publisher.publish()
    assert local_lake.ids() == [1]


def test_many_objects_are_spread_over_segments(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.objects.manifest.SEGMENT_OBJECTS", 2)
    sink = local_lake.sink()
    for number in range(7):
        sink.commit([make_batch([{"id": number}], number)])
        sink.finish()
    assert local_lake.ids() == list(range(7))
    assert len(local_lake.publisher.root()[0].segments) == 3


def test_a_manifest_that_cannot_be_written_now_is_written_later(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sink = local_lake.sink()

    def away(*_: object) -> bool:
        raise SinkUnavailable("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "_put", away)
        (settled,) = sink.commit([make_batch([{"id": 1}])])
        assert settled.counts.inserted == 1
        assert "is published later: the store is away" in caplog.text
        with pytest.raises(SinkUnavailable, match="the store is away"):
            sink.finish()
    sink.finish()
    assert local_lake.ids() == [1]


def test_a_process_without_anything_to_write_publishes_what_another_has_left(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, stopped = lake.sink(), lake.sink()
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish_now_and_then", lambda _: None)
        stopped.commit([make_batch([{"id": 1}])])  # and it is stopped
    assert lake.ids() == []
    idle.finish()
    assert lake.ids() == [1]


def test_a_segment_whose_answer_is_lost_is_taken_for_written(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.objects.manifest.SEGMENT_OBJECTS", 2)
    create = FolderStore.create

    def repeated(self: FolderStore, name: str, data: bytes) -> str:
        etag = create(self, name, data)
        if name.startswith(SEGMENTS):
            raise ObjectExists(name)
        return etag

    monkeypatch.setattr(FolderStore, "create", repeated)
    sink = local_lake.sink()
    for number in range(4):
        sink.commit([make_batch([{"id": number}], number)])
        sink.finish()
    assert local_lake.ids() == list(range(4))
    assert local_lake.publisher.root()[0].segments


def test_writers_that_never_come_first_are_told(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = local_lake.sink()
    TURNS.take_turn((local_lake.database.database, local_lake.config().url))
    sink.commit([make_batch([{"id": 1}])])
    monkeypatch.setattr(publish, "_BACKOFF", Backoff(base=0.001, cap=0.001))
    monkeypatch.setattr(Publisher, "_put", lambda *_: False)
    with pytest.raises(Contention, match=r"kept replacing the manifest of file:///.*/lake"):
        sink.finish()


def test_a_part_of_the_manifest_that_is_gone_is_named(local_lake: Lake) -> None:
    publisher = local_lake.publisher
    local_lake.sink()
    with pytest.raises(SinkFailed, match=r"lake/_manifest/1.json, a part of the manifest, is gone"):
        publisher.load(Segment("_manifest/1.json", 1, 1, 1))
    (local_lake.folder / "_manifest.json").unlink()
    with pytest.raises(SinkFailed, match=r"_manifest.json is gone; without it nobody can tell"):
        publisher.root()


def test_only_the_segments_that_have_what_is_taken_out_are_read(
    local_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.objects.manifest.SEGMENT_OBJECTS", 2)
    sink = local_lake.sink()
    for number in range(7):
        sink.commit([make_batch([{"id": number}], number)])
        sink.finish()
    read: list[str] = []
    load = Publisher.load

    def loading(self: Publisher, segment: Segment) -> object:
        read.append(segment.name)
        return load(self, segment)

    first, second, third = (part.name for part in local_lake.publisher.root()[0].segments)
    gone = "UPDATE ingest_objects SET state = 'replaced', pending = 1 WHERE id = "
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "load", loading)
        local_lake.database.run(gone + "3")
        local_lake.publisher.publish()
        assert read == [second], "this process has written them all"
        read.clear()
        publish.HASHES.clear()  # another process
        local_lake.database.run(gone + "1")
        local_lake.publisher.publish()
        assert read[:2] == [first, third]
    assert local_lake.ids() == [1, 3, 4, 5, 6]


def test_the_names_of_few_segments_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MOST_SEGMENTS", 2)
    publish.HASHES.clear()
    for name in "abc":
        publish._remember("sink", name, ())
    assert list(publish.HASHES.get(None)) == [("sink", "b"), ("sink", "c")]
