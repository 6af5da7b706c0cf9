"""Nothing is made before the sources are looked at; what they may expect where there are several tables."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import command
from pipelines import ingest as ingest_command
from pipelines.ingestion.checked import expected_fields
from pipelines.ingestion.options import from_argv
from sinks.database.engine import dispose_engines
from sinks.sql import SqlSink
from tests.pipelines.commands import ingest, ingested, printed
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


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    yield f"sqlite:///{tmp_path}/a.db"
    dispose_engines()


class TestNothingIsMadeForWhatIsNotThere:
    def test_a_file_that_is_mistyped(self, tmp_path: Path, database: str) -> None:
        source = tmp_path / "a.csv"
        source.write_text("id,name\n1,a\n")
        schema = tmp_path / "schema.json"
        schema.write_text('{"properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}')
        assert ingest(tmp_path / "b.csv", database) == command.USAGE
        assert not (tmp_path / "a.db").exists()
        assert ingested(source, database, "--schema", str(schema))["inserted"] == 1
        assert query(database, "SELECT id, name FROM events") == [(1, "a")]

    @pytest.mark.parametrize("with_schema", [False, True])
    def test_a_key_that_is_mistyped(
        self, tmp_path: Path, database: str, with_schema: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        source = tmp_path / "a.csv"
        source.write_text("id,name\n1,a\n")
        more = []
        if with_schema:
            (tmp_path / "s.json").write_text('{"properties": {"idd": {}, "names": {}}}')
            more = ["--schema", str(tmp_path / "s.json")]
        assert ingest(source, database, *more, key="idd") == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert "idd" in line
        assert not (tmp_path / "a.db").exists()

    def test_a_name_that_no_pipeline_can_have(
        self, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "a.csv").write_text("id,name\n1,a\n")
        assert ingest(tmp_path / "a.csv", database, table="a\x1b[31mb") == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert "printable" in line
        assert line.isprintable()
        assert not (tmp_path / "a.db").exists()

    def test_a_table_of_a_route(self, tmp_path: Path, database: str) -> None:
        (tmp_path / "routes.json").write_text(json.dumps({"routes": [ORDERS, LINES]}))
        more = ("--routes", str(tmp_path / "routes.json"), "--pipeline", "p")
        argv = ["--source", f"{tmp_path}/none.jsonl", "--sink", database, *more]
        assert command.run("ingest", ingest_command.main, argv) == command.USAGE
        assert not (tmp_path / "a.db").exists()

    def test_what_is_said_of_a_table_that_may_not_be_made_comes_first(
        self, tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert ingest(tmp_path / "none.csv", database, "--create", "never") == command.USAGE
        (line,) = printed(capsys.readouterr().err)
        assert "--create is never" in line
