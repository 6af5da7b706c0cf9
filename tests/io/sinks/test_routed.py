"""Routes and their sink belong together, and a pipeline that takes them apart is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from sinks.objects.config import ObjectConfig
from sinks.routed import RoutedSink, RouteToSql, bounds_of
from sinks.sql import SqlConfig, SqlLedger, SqlSink, Tables, WriteToSql
from tests.fakes import ListSource
from tests.io.sinks.tested_database import Database
from tests.transforms.mapping.mapped import batch_of
from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping as RecordMapping
from transforms.parse.parse import Parse
from transforms.read.read import ReadSplits
from transforms.route.assign import AssignRoutes
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.route.table_name import UNROUTED
from transforms.settle.bounds import Bounds, TableBounds
from transforms.settle.write import WriteConfig
from transforms.steps.pipeline_identity import PipelineIdentity

PIPELINE = PipelineIdentity("shop", mapped=True)
ORDERS = Route("orders", {"field": "type", "is": "order"}, key=("id",))
USERS = Route("users", {"field": "type", "is": "user"}, key=("id",))


def of(database: Database, *routes: Route, table: str = UNROUTED, **more: Any) -> RoutedSink:
    key = () if table == UNROUTED else ("id",)
    sink = SqlSink(database.config(table, key=key), pipeline=PIPELINE)
    return RoutedSink.of(sink, Routes(routes), **more)


def write(sink: RoutedSink, *values: Mapping[str, Any]) -> None:
    sink.prepare()
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = pipeline | beam.Create([batch_of(list(values))]) | RouteToSql(sink)


def test_what_no_route_gets_goes_to_the_sinks_own_table(database: Database) -> None:
    write(of(database, ORDERS, table="rest"), {"type": "order", "id": 1}, {"type": "x", "id": 2})
    assert len(database.rows("SELECT id FROM orders")) == 1
    assert len(database.rows("SELECT id FROM rest")) == 1


def test_without_a_table_of_its_own_it_is_dead(sqlite_database: Database) -> None:
    write(of(sqlite_database, ORDERS), {"type": "order", "id": 1}, {"type": "x", "id": 2})
    jobs = sqlite_database.rows("SELECT target, category FROM ingest_jobs")
    assert jobs == [(UNROUTED, "no_route")]


def test_a_default_and_a_table_of_its_own_contradict_each_other(sqlite_database: Database) -> None:
    sink = SqlSink(sqlite_database.config("rest"), pipeline=PIPELINE)
    with pytest.raises(ConfigError, match=r"^table rest of SqlConfig gets what .*, others; leave"):
        RoutedSink.of(sink, Routes([ORDERS], Route("others")))


def test_it_reads_by_the_ledger_and_the_queue_that_it_writes(sqlite_database: Database) -> None:
    sink = of(sqlite_database, ORDERS)
    sink.sink.check_read(sink.ledger)
    assert (sink.queue.config, sink.queue.pipeline) == (sink.sink.config, PIPELINE)


def test_what_a_route_hides_is_hidden(sqlite_database: Database) -> None:
    masked = Route("users", mapping=RecordMapping.of([{"mask": ["card"]}]))
    before = RecordMapping.of([{"rename": {"c": "card"}}])
    assert ("c",) in of(sqlite_database, masked, mapping=before).sink.hidden


def test_a_mapping_of_a_route_is_one_of_the_pipeline(sqlite_database: Database) -> None:
    mapped = Route("users", mapping=RecordMapping.of([{"drop": ["card"]}]))
    sink = SqlSink(sqlite_database.config(UNROUTED, key=()), pipeline=PipelineIdentity("shop"))
    with pytest.raises(ConfigError, match=r"PipelineIdentity\(…, mapped=True\)"):
        RoutedSink.of(sink, Routes([mapped]))


def test_routes_may_lead_to_objects(sqlite_database: Database, tmp_path: Path) -> None:
    schema = json.dumps({"properties": {"id": {"type": "integer"}}})
    lake = Route("lake", schema=schema, sink=tmp_path.as_uri(), unknown_fields="ignore")
    sink = of(sqlite_database, ORDERS, lake)
    assert sink.sink.objects is not None
    assert list(sink.sink.objects.by_label) == ["lake"]
    assert sink.bounds().of("lake") == Bounds(records=100_000, bytes=64 << 20, age=10.0)
    place = ObjectConfig.of(tmp_path.as_uri())
    whole = of(sqlite_database, Route("orders"), place=place).sink
    assert whole.tables is None
    assert whole.objects is not None
    with pytest.raises(ConfigError, match="target rest"):
        of(sqlite_database, Route("orders"), place=place, table="rest")


def test_a_sink_with_tables_has_them_from_other_routes(sqlite_database: Database) -> None:
    config = sqlite_database.config(UNROUTED, key=())
    sink = SqlSink(config, tables=Tables.of(config, [USERS]))
    with pytest.raises(ConfigError, match="without tables and objects"):
        RoutedSink.of(sink, Routes([ORDERS]))


@pytest.mark.parametrize(
    "others",
    [[ORDERS], [ORDERS, Route("users", USERS.when, key=("mail",))], [ORDERS, USERS, Route("a")]],
)
def test_a_write_refuses_records_that_other_routes_have_sent(
    sqlite_database: Database, others: list[Route]
) -> None:
    config = sqlite_database.config(UNROUTED, key=())
    sink = SqlSink(config, pipeline=PIPELINE, tables=Tables.of(config, [ORDERS, USERS]))
    batches = beam.Pipeline(runner=FnApiRunner()) | beam.Create([])
    with pytest.raises(ConfigError, match=r"differ in route \w+; give both the same routes"):
        _ = batches | AssignRoutes(Routes(others)) | WriteToSql(sink)


def test_a_write_takes_the_same_routes_with_its_own_table_as_the_default(
    sqlite_database: Database,
) -> None:
    config = sqlite_database.config("rest")
    sink = SqlSink(config, tables=Tables.of(config, [ORDERS]))
    batches = beam.Pipeline(runner=FnApiRunner()) | beam.Create([])
    _ = batches | AssignRoutes(Routes([ORDERS], Route("rest")), "rest") | WriteToSql(sink)


def test_records_are_routed_once(sqlite_database: Database) -> None:
    batches = beam.Pipeline(runner=FnApiRunner()) | beam.Create([])
    routed = batches | AssignRoutes(Routes([ORDERS]))
    with pytest.raises(ConfigError, match="leave AssignRoutes out"):
        _ = routed | RouteToSql(of(sqlite_database, ORDERS))


def test_bounds_are_those_of_the_routes(sqlite_database: Database) -> None:
    bounded = WriteConfig().with_bounds(TableBounds(home=Bounds(records=5)))
    with pytest.raises(ConfigError, match=r"Route\(…, bounds=Bounds\(…\)\)"):
        RouteToSql(of(sqlite_database, ORDERS), bounded)


def test_each_table_has_the_bounds_of_its_route_and_a_name_from_a_record_the_tightest() -> None:
    few, many, soon = Bounds(records=10), Bounds(records=1_000), Bounds(records=500, age=2)
    routes = Routes(
        [
            Route("public.orders", "a", bounds=few),
            Route("app.${type}", "b", "any", pattern=".*", bounds=many),
            Route("kind_${type}", "c", "other", pattern=".*", bounds=soon),
        ],
        Route("rest"),
    )
    bounds = bounds_of(routes, "public")
    assert bounds.of("orders") == few
    assert bounds.of("app.x") == Bounds(records=500, age=2)
    assert bounds.of("rest") == Bounds()
    assert bounds_of(Routes([Route("a", "x", bounds=few)]), "").of("(none)") == Bounds()


def test_two_writes_behind_one_read_are_refused_and_shown_the_way(tmp_path: Path) -> None:
    a, b = (SqlConfig.of(f"sqlite:///{tmp_path}/test.db", table) for table in "ab")
    pipeline = beam.Pipeline(runner=FnApiRunner())
    parsed = pipeline | ReadSplits([ListSource("fork")], SqlLedger(a)) | Parse()
    _ = parsed | "WriteA" >> WriteToSql(a)
    for again in (a, b):
        with pytest.raises(ConfigError, match=r"take routes and one write, RouteToSql \(docs/ro"):
            _ = parsed | f"Write {again.table}" >> WriteToSql(again)
