"""A bucket or folder has one state, and a state knows its buckets and folders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sinks.database.engine import dispose_engines
from sinks.database.migrations import migrate
from sinks.objects.prepare import prepare
from tests.io.sinks.objects.lake import Lake
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import ConfigError

pytestmark = pytest.mark.without_tables


def test_an_empty_folder_gets_a_manifest_with_the_id_of_the_state(lake: Lake) -> None:
    lake.sink()
    root, _ = lake.publisher.root()
    assert lake.database.rows("SELECT sink, id, number FROM ingest_manifests") == [
        (f"file://{lake.folder}", root.sink, 0)
    ]


def test_an_empty_state_over_objects_of_ours_is_refused(local_lake: Lake, tmp_path: Path) -> None:
    sink = local_lake.sink()
    sink.commit([make_batch([{"id": 1}])])
    sink.finish()
    other = Lake(Database("sqlite", f"sqlite:///{tmp_path}/other.db"), local_lake.folder)
    with pytest.raises(ConfigError, match=r"names objects \(sink .*other.db knows nothing of them"):
        other.sink()
    assert local_lake.ids() == [1]


def test_another_state_is_refused(local_lake: Lake, tmp_path: Path) -> None:
    local_lake.sink()
    manifest = local_lake.folder / "_manifest.json"
    content = manifest.read_bytes()
    other = Lake(Database("sqlite", f"sqlite:///{tmp_path}/other.db"), local_lake.folder)
    manifest.unlink()
    other.sink()
    with pytest.raises(ConfigError, match=r"belongs to another state than sqlite database .*test"):
        local_lake.sink()
    manifest.write_bytes(content)
    local_lake.sink()
    dispose_engines()


def test_a_manifest_that_is_gone_is_not_made_anew(local_lake: Lake) -> None:
    sink = local_lake.sink()
    sink.commit([make_batch([{"id": 1}])])
    (local_lake.folder / "_manifest.json").unlink()
    with pytest.raises(
        ConfigError, match=r"_manifest.json is gone, although .* published it 1 times"
    ):
        local_lake.sink()


def test_a_crash_between_state_and_manifest_is_mended(local_lake: Lake) -> None:
    local_lake.sink()
    (local_lake.folder / "_manifest.json").unlink()
    local_lake.sink()
    assert local_lake.publisher.root()[0].number == 0


def test_processes_that_prepare_at_once_agree(lake: Lake) -> None:
    migrate.prepare(lake.database.database)
    publisher = lake.publisher
    with ThreadPoolExecutor(4) as threads:
        calls = [
            threads.submit(prepare, publisher.database, publisher.url, publisher.store)
            for _ in range(4)
        ]
        for call in calls:
            call.result(60)
    assert lake.publisher.root()[0].number == 0
