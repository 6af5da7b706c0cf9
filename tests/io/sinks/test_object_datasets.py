"""The datasets of a pipeline."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sinks.object_datasets import Objects
from sinks.objects.config import ObjectConfig
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.objects.lake import SCHEMA
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError


def objects(dataset: str, label: str = "", query: str = "") -> Objects:
    return Objects.of(ObjectConfig.of(f"s3://lake/raw{query}", dataset), schema=SCHEMA, label=label)


def test_a_dataset_is_called_by_its_url_or_as_its_route_calls_it() -> None:
    both = objects("orders") + objects("people", "people")
    assert list(both.by_label) == ["s3://lake/raw/orders", "people"]
    assert pickle.loads(pickle.dumps(both)) == both


def test_datasets_of_one_place_share_its_manifest(sqlite_database: Database) -> None:
    both = objects("orders") + objects("people")
    urls = [publisher.url for publisher in both.publishers(sqlite_database.database)]
    assert urls == ["s3://lake/raw"]


def test_two_datasets_have_two_names() -> None:
    with pytest.raises(ConfigError, match="dataset orders is written to two places"):
        objects("orders", "orders") + objects("other", "orders")


def test_a_dataset_is_not_called_like_a_table() -> None:
    objects("orders", "orders").check_labels(["people"])
    with pytest.raises(ConfigError, match="orders is both a table and a dataset"):
        objects("orders", "orders").check_labels(["people", "orders"])


def test_folders_that_cannot_be_named_are_refused_before_anything_is_written() -> None:
    with pytest.raises(ConfigError, match="day:FIELD"):
        objects("orders", query="?partition=week:created")


def test_a_pipeline_prepares_its_folder_and_its_state(
    sqlite_database: Database, tmp_path: Path
) -> None:
    config = ObjectConfig.of(f"file://{tmp_path}/lake", "events")
    own = SqlConfig(sqlite_database.database, config.label)
    assert SqlSink(own, objects=Objects.of(config, schema=SCHEMA)).prepare() == ()
    assert (tmp_path / "lake" / "_manifest.json").exists()
    assert sqlite_database.rows("SELECT name, target FROM ingest_pipelines") == [
        (config.label, config.label)
    ]
    tables = sqlite_database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert all(name.startswith(("ingest_", "sqlite_")) for (name,) in tables), "no table is made"
