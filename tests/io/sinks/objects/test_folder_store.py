"""Objects in a folder: whole, and never brought back."""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sinks.objects.config import ObjectConfig
from sinks.objects.folder_store import FolderStore
from sinks.objects.store import ObjectChanged, ObjectExists
from tests.io.sinks.objects.store_rules import StoreRules
from transforms.errors import ConfigError, SinkUnavailable


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(ObjectConfig.of(f"file://{tmp_path}/lake"), patience=0.05)


class TestRules(StoreRules):
    pass


def test_of_many_that_create_or_replace_at_once_one_does(store: FolderStore) -> None:
    def create(number: int) -> str | None:
        try:
            return store.create("x", bytes((number,)))
        except ObjectExists:
            return None

    def replace(number: int) -> str | None:
        try:
            return store.replace("x", bytes((number,)), first)
        except ObjectChanged:
            return None

    store = FolderStore(store.config)  # with patience
    with ThreadPoolExecutor(6) as threads:
        (first,) = filter(None, threads.map(create, range(6)))
        (second,) = filter(None, threads.map(replace, range(6)))
    stored = store.head("x")
    assert stored is not None
    assert stored.etag == second


def test_the_lock_of_a_stopped_writer_is_an_outage_with_an_end(store: FolderStore) -> None:
    etag = store.create("x", b"1")
    descriptor = os.open(Path(store.config.folder or "", "_temporary/lock"), os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(SinkUnavailable, match=r"the lock of file:///.*/lake is held"):
        store.replace("x", b"2", etag)
    os.close(descriptor)
    store.replace("x", b"2", etag)


def test_no_temporary_file_stays(store: FolderStore) -> None:
    etag = store.create("x", b"1")
    with pytest.raises(ObjectExists):
        store.create("x", b"2")
    store.replace("x", b"3", etag)
    temporary = Path(store.config.folder or "", "_temporary")
    assert [path.name for path in temporary.iterdir()] == ["lock"]


def test_what_an_ended_writer_left_is_swept_after_a_day(store: FolderStore) -> None:
    store.check()
    temporary = Path(store.config.folder or "", "_temporary")
    old, new = temporary / "old", temporary / "new"
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    store.check()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FolderStore(ObjectConfig.of(f"file://{tmp_path}/file/lake"))
    with pytest.raises(ConfigError, match=r"cannot write objects to .*/file/lake: Not a directory"):
        store.check()
