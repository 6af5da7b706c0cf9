"""What a source may expect of a header where records go to several tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingestion.expected_fields import expected_fields
from pipelines.ingestion.options import from_argv
from sinks.sql import SqlSink
from tests.pipelines.tables import query
from transforms.batch.expected import ExpectedFields

ORDERS: dict[str, Any] = {"table": "orders", "when": {"field": "type", "is": "o"}, "key": ["id"]}
LINES: dict[str, Any] = {"table": "lines", "when": {"field": "type", "is": "l"}, "key": ["nr"]}


def expected(folder: Path, *routes: dict[str, Any], argv: tuple[str, ...] = ()) -> ExpectedFields:
    """What the tables of routes expect, of which two are there."""
    sink = f"sqlite:///{folder}/a.db"
    query(
        sink,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)",
        "CREATE TABLE lines (nr INTEGER PRIMARY KEY, item TEXT)",
    )
    (folder / "routes.json").write_text(json.dumps({"routes": routes}))
    base = ("--source", f"{folder}/a.csv", "--sink", sink, "--routes", f"{folder}/routes.json")
    config, _ = from_argv([*base, "--pipeline", "p", *argv])
    prepared = SqlSink(config.sql, pipeline=config.pipeline, tables=config.tables)
    prepared.prepare()
    return expected_fields(config, prepared)


def test_a_column_of_any_table_will_do_and_none_has_to_have_them_all(tmp_path: Path) -> None:
    fields = expected(tmp_path, ORDERS, LINES)
    assert fields == ExpectedFields(frozenset({"id", "total", "nr", "item"}))


@pytest.mark.parametrize(
    "more",
    [
        {"table": "${type}", "name": "any", "when": "type", "pattern": "[a-z]+"},
        {"table": "payloads", "when": "type"},
        {"table": "copies", "when": "type", "map": [{"flatten": {}}]},
    ],
    ids=["table not known", "takes any field", "reads any field"],
)
def test_where_any_record_may_do_nothing_is_expected(more: dict[str, Any], tmp_path: Path) -> None:
    assert not expected(tmp_path, ORDERS, more).names


def test_what_a_mapping_of_a_route_reads_is_enough(tmp_path: Path) -> None:
    renamed = {**ORDERS, "map": [{"rename": {"Order ID": "id"}}]}
    fields = expected(tmp_path, renamed, LINES)
    assert "Order ID" in fields.names
    assert fields.renamed
