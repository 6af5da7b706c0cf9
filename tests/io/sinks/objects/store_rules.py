"""The rules that every store of objects keeps; a test class inherits them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sinks.objects.store import ObjectChanged, ObjectExists, ObjectStore


class StoreRules:
    """Tests of the fixture ``store``."""

    def test_an_object_is_read_back_as_it_was_written(self, store: ObjectStore) -> None:
        etag = store.create("a/b=1/x", b"content")
        assert store.read("a/b=1/x") == (b"content", etag)
        stored = store.head("a/b=1/x")
        assert stored is not None
        assert (stored.etag, stored.bytes) == (etag, 7)

    def test_what_is_absent_is_nothing(self, store: ObjectStore) -> None:
        assert store.head("absent") is None
        assert store.read("absent") is None
        store.delete("absent")
        with pytest.raises(FileNotFoundError):
            store.open("absent")

    def test_an_object_is_created_once(self, store: ObjectStore) -> None:
        store.create("x", b"first")
        with pytest.raises(ObjectExists):
            store.create("x", b"second")
        content = store.read("x")
        assert content is not None
        assert content[0] == b"first"

    def test_only_the_object_that_was_seen_is_replaced(self, store: ObjectStore) -> None:
        first = store.create("x", b"first")
        second = store.replace("x", b"other", first)
        assert second != first
        with pytest.raises(ObjectChanged):
            store.replace("x", b"late!", first)
        assert store.read("x") == (b"other", second)

    def test_what_is_gone_is_not_brought_back(self, store: ObjectStore) -> None:
        etag = store.create("x", b"first")
        store.delete("x")
        with pytest.raises(ObjectChanged):
            store.replace("x", b"late", etag)
        assert store.head("x") is None

    def test_a_file_is_content_too(self, store: ObjectStore, tmp_path: Path) -> None:
        file = tmp_path / "content"
        file.write_bytes(b"0123456789" * 20)
        etag = store.create("x", file)
        assert store.read("x") == (b"0123456789" * 20, etag)

    def test_a_stream_reads_ranges(self, store: ObjectStore) -> None:
        store.create("x", bytes(range(200)))
        with store.open("x") as stream:
            stream.seek(-3, io.SEEK_END)
            assert stream.read() == bytes((197, 198, 199))
            stream.seek(10)
            assert stream.read(2) == bytes((10, 11))

    def test_names_are_listed_in_order_below_a_prefix(self, store: ObjectStore) -> None:
        for name in ("b/2", "b/1", "a", "c"):
            store.create(name, name.encode())
        assert [name for name, _ in store.names()] == ["a", "b/1", "b/2", "c"]
        assert [(name, stored.bytes) for name, stored in store.names("b/")] == [
            ("b/1", 3),
            ("b/2", 3),
        ]

    def test_a_check_leaves_nothing(self, store: ObjectStore) -> None:
        store.check()
        assert list(store.names()) == []
