"""The datasets of a pipeline."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from clients.s3 import S3Settings
from sinks.object_datasets import Objects
from sinks.objects.config import ObjectConfig
from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.objects.lake import SCHEMA
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError
from transforms.route.route import Route


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


def test_two_datasets_have_two_folders() -> None:
    with pytest.raises(ConfigError, match="s3://lake/raw/orders is the folder of two datasets"):
        objects("orders", "orders") + objects("orders", "others")


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


class TestRoutes:
    HOME = SqlConfig.of("sqlite:///state.db", "events", key=["id"])

    def test_a_route_with_a_sink_sends_to_a_dataset_of_its_name(self) -> None:
        routes = [
            Route("orders", key=("id",)),
            Route("app.archive", sink="s3://lake/raw?partition=day", schema=SCHEMA),
            Route("app.${type}", sink="file:///lake", tables=("app.a", "app.b")),
        ]
        settings = S3Settings(endpoint_url="http://localhost:9000")
        datasets = Objects.of_routes(
            routes, self.HOME, settings=settings, default_schema="app"
        ).by_label
        assert {label: dataset.config.label for label, dataset in datasets.items()} == {
            "archive": "s3://lake/raw/archive",
            "a": "file:///lake/a",
            "b": "file:///lake/b",
        }
        archive = datasets["archive"]
        assert (archive.config.partition, archive.config.settings) == ("day", settings)
        assert list(archive.columns.types) == ["id", "type"]

    def test_the_default_schema_is_left_out_once_it_is_known(self) -> None:
        routes = [Route("public.orders"), Route("app.people"), Route("items")]
        objects = Objects.of_routes(routes, self.HOME, own=ObjectConfig.of("s3://lake"))
        assert objects.in_schema("other") is objects
        assert objects.in_schema(None) is objects
        datasets = objects.in_schema("public").by_label
        assert {label: each.config.label for label, each in datasets.items()} == {
            "app.people": "s3://lake/app.people",
            "items": "s3://lake/items",
            "orders": "s3://lake/orders",
        }

    def test_one_dataset_in_two_spellings_is_refused(self) -> None:
        routes = [Route("public.orders"), Route("orders")]
        objects = Objects.of_routes(routes, self.HOME, own=ObjectConfig.of("s3://lake"))
        with pytest.raises(ConfigError, match="dataset orders is written to two places"):
            objects.in_schema("public")

    def test_a_pipeline_of_objects_sends_all_routes_there(self) -> None:
        routes = [Route("orders"), Route("people", sink="s3://other")]
        own = ObjectConfig.of("s3://lake")
        datasets = Objects.of_routes(routes, self.HOME, own=own).by_label
        assert [each.config.label for each in datasets.values()] == [
            "s3://lake/orders",
            "s3://other/people",
        ]

    @pytest.mark.parametrize(
        ("route", "message"),
        [
            (Route("orders", key=("id",)), "route orders: objects are only added to"),
            (Route("orders", on_conflict="update"), "route orders: objects are only added to"),
            (Route("${type}", pattern=".*"), r"list the datasets that \$\{type\} may become"),
            (Route("a b"), "'a b' is not a folder of objects"),
        ],
    )
    def test_what_objects_cannot_do_is_refused(self, route: Route, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            Objects.of_routes([route], self.HOME, own=ObjectConfig.of("s3://lake"))
