"""Which datasets of objects the options and the routes name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingestion.config import IngestConfig
from pipelines.ingestion.options import from_argv
from transforms.errors import ConfigError

SINK = "s3://lake/shop?format=jsonl.gz&partition=day"
ORDERS: dict[str, Any] = {"table": "orders", "when": {"field": "type", "is": "order"}}
KINDS: dict[str, Any] = {"table": "${type}", "name": "kinds", "when": "type", "tables": ["a", "b"]}


def configured(
    folder: Path, *argv: str, sink: str = SINK, routes: tuple[dict[str, Any], ...] = ()
) -> IngestConfig:
    database = f"sqlite:///{folder}/a.db"
    state = ["--state", database] if sink.startswith(("s3:", "file:")) else []
    if routes:
        (folder / "routes.json").write_text(json.dumps({"routes": routes}))
        argv = (*argv, "--routes", f"{folder}/routes.json")
    config, _ = from_argv(["--source", f"{folder}/a.jsonl", "--sink", sink, *state, *argv])
    return config


def places(config: IngestConfig) -> dict[str, str]:
    """By label, the URL of the folder of each dataset, and its format."""
    datasets = () if config.objects is None else config.objects.datasets
    return {each.label: f"{each.config.label} {each.config.format}" for each in datasets}


def test_without_a_table_the_dataset_is_the_place_itself(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert places(config) == {"s3://lake/shop": "s3://lake/shop jsonl.gz"}
    assert config.sql.table == "s3://lake/shop"
    assert config.sql.database.url == f"sqlite:///{tmp_path}/a.db", "the state"
    assert not config.sql.has_table
    assert config.tables is None


def test_a_table_is_a_folder_of_it(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"properties": {"id": {"type": "integer"}}}')
    more = ("--schema", f"{tmp_path}/s.json", "--unknown_fields", "payload")
    config = configured(tmp_path, "--table", "orders", *more)
    assert places(config) == {"s3://lake/shop/orders": "s3://lake/shop/orders jsonl.gz"}
    assert config.objects is not None
    assert config.objects.datasets[0].columns.unknown_fields == "payload"


def test_each_route_has_a_folder_and_the_rest_that_of_the_table(tmp_path: Path) -> None:
    config = configured(tmp_path, "--table", "rest", routes=(ORDERS, KINDS))
    assert places(config) == {
        name: f"s3://lake/shop/{folder} jsonl.gz"
        for name, folder in (
            ("a", "a"),
            ("b", "b"),
            ("orders", "orders"),
            ("s3://lake/shop/rest", "rest"),
        )
    }
    assert config.tables is None


def test_a_route_may_lead_to_objects_beside_tables(tmp_path: Path) -> None:
    archive = {**KINDS, "sink": "file:///lake?format=parquet"}
    table = {**ORDERS, "key": ["id"]}
    config = configured(
        tmp_path, "--pipeline", "p", sink=f"sqlite:///{tmp_path}/a.db", routes=(table, archive)
    )
    assert places(config) == {
        "a": "file:///lake/a parquet",
        "b": "file:///lake/b parquet",
    }
    assert config.tables is not None
    assert list(config.tables.known(None)) == ["orders"]


def test_tables_alone_need_no_dataset(tmp_path: Path) -> None:
    sink = f"sqlite:///{tmp_path}/a.db"
    assert configured(tmp_path, "--pipeline", "p", sink=sink, routes=(ORDERS,)).objects is None
    assert configured(tmp_path, "--table", "t", sink=sink).objects is None


@pytest.mark.parametrize(
    ("route", "line"),
    [
        ({**ORDERS, "key": ["id"]}, "route orders: objects are only added to"),
        ({**ORDERS, "on_conflict": "update"}, "route orders: objects are only added to"),
        (
            {"table": "${type}", "name": "any", "when": "type", "pattern": "[a-z]+"},
            "route any: list the datasets that",
        ),
        ({**ORDERS, "sink": "postgresql://h/d"}, "a sink of its own is a place for objects"),
        ({**ORDERS, "sink": "s3://lake?formt=x"}, "unknown parameter 'formt'"),
        ({**ORDERS, "table": '"a b"'}, "'a b' is not a folder of objects"),
    ],
)
def test_what_objects_cannot_honour_is_one_line(
    route: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=line):
        configured(tmp_path, "--pipeline", "p", routes=(route,))


def test_an_unknown_parameter_of_the_sink_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown parameter 'partion'"):
        configured(tmp_path, sink="s3://lake?partion=day")


def test_two_datasets_in_one_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="s3://lake/shop/orders is the folder of two datasets"):
        configured(tmp_path, "--table", "orders", routes=(ORDERS,))
