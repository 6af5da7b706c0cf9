"""Routes and the sink of their tables and datasets, which belong together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import apache_beam as beam

from clients.s3 import S3Settings
from sinks.jobs.queue import SqlJobQueue
from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlSink, WriteToSql
from sinks.table.config import SqlConfig
from sinks.tables import Tables, default_schema
from transforms.errors import ConfigError
from transforms.mapping.mapping import Mapping
from transforms.route.assign import AssignRoutes
from transforms.route.route import Route
from transforms.route.routes import Routes
from transforms.route.table_name import UNROUTED, TableName
from transforms.route.table_template import has_fields
from transforms.settle import lineage
from transforms.settle.bounds import OF_OBJECTS, TableBounds, tightest
from transforms.settle.write import WriteConfig

if TYPE_CHECKING:
    from sinks.object_datasets import Objects  # with pyarrow, which tables do not need
    from sinks.objects.config import ObjectConfig


@dataclass(frozen=True, slots=True)
class RoutedSink:
    """Routes, and a ``SqlSink`` with exactly their tables and datasets. Picklable.

    ``RoutedSink.of`` makes one; ``RouteToSql`` ends a pipeline with it.

    Attributes:
        sink: What is written, in one transaction with the ledger.
        routes: Which records go where.
    """

    sink: SqlSink
    routes: Routes

    @classmethod
    def of(
        cls,
        sink: SqlSink,
        routes: Routes,
        *,
        place: ObjectConfig | None = None,
        endpoint_url: str | None = None,
        mapping: Mapping | None = None,
    ) -> RoutedSink:
        """``sink`` with the tables and datasets that ``routes`` lead to, and what these hide.

        Args:
            sink: The sink, without ``tables`` and ``objects``. If its ``SqlConfig`` has a table, that
                gets what matches no route; without one, this is dead unless the routes have a
                default, and ``pipeline`` needs a name.
            routes: Where records go. Routes with a ``sink`` lead to objects there.
            place: Where all other routes lead to objects; None for tables of the database.
            endpoint_url: Address of an S3 service other than AWS, for routes with a ``sink``.
            mapping: The mapping before the routes, if there is one.

        Raises:
            ConfigError: The routes do not fit the sink, or their settings are wrong.
        """
        config = sink.config
        if sink.tables is not None or sink.objects is not None:
            raise ConfigError(
                "RoutedSink.of adds the tables and the objects of the routes; give it a SqlSink "
                "without tables and objects"
            )
        _check_own_target(config, place)
        mapped = any(route.mapping is not None for route in routes.all)
        if mapped and sink.pipeline is not None and not sink.pipeline.mapped:
            raise ConfigError(
                "a route has a mapping, so the jobs are those of a pipeline with one; give "
                "SqlSink PipelineIdentity(…, mapped=True)"
            )
        routes = _with_default(routes, config)
        unnests = any(route.mapping.unnests for route in routes.all if route.mapping is not None)
        config = replace(config, elements=config.elements or unnests)
        hidden = tuple(sorted({*sink.hidden, *routes.hidden(mapping)}))
        tables = None if place is not None else Tables.of(config, routes.all)
        whole = replace(sink, config=config, hidden=hidden, tables=tables)
        if place is not None or any(route.sink for route in routes.all):
            from sinks.object_datasets import Objects

            settings = S3Settings(endpoint_url=endpoint_url)
            objects = Objects.of_routes(routes.all, config, own=place, settings=settings)
            whole = replace(whole, objects=objects)
        return cls(whole, routes)

    def prepare(self) -> tuple[SqlConfig, ...]:
        """Create what is missing and check the targets; see ``SqlSink.prepare``."""
        return self.sink.prepare()

    @property
    def ledger(self) -> SqlLedger:
        """What ``ReadSplits`` asks: the one ledger of all tables."""
        pipeline = self.sink.pipeline
        return SqlLedger(self.sink.config, "" if pipeline is None else pipeline.name)

    @property
    def queue(self) -> SqlJobQueue:
        """The due jobs of all tables, for a ``JobsSource``."""
        return SqlJobQueue(self.sink.config, pipeline=self.sink.pipeline)

    def assign(self) -> AssignRoutes:
        """The step that gives each record its tables.

        Raises:
            ConfigError: Routes say different things of one table.
            SinkUnavailable: The database cannot be reached.
        """
        config = self.sink.config
        schema = default_schema(config.database) or ""
        return AssignRoutes(self.routes, config.table_name.label(schema), schema, self.sink.run)

    def bounds(self) -> TableBounds:
        """When each table and dataset is written, as its routes say.

        Raises:
            SinkUnavailable: The database cannot be reached.
        """
        schema = default_schema(self.sink.config.database) or ""
        return bounds_of(self.routes, schema, self.sink.objects)


class RouteToSql(beam.PTransform):
    """Send every record to the tables and datasets of its routes, and write it there.

    It is ``AssignRoutes`` and ``WriteToSql`` in one, so that neither can know other routes than the
    other. It stands behind the steps, once behind each read, and returns what ``WriteToSql`` does.

    Args:
        sink: The routes and their sink, prepared.
        write: How much a transaction takes; the bounds of tables are those of the routes.

    Raises:
        ConfigError: ``write`` has bounds, or the records have been routed before.
    """

    def __init__(self, sink: RoutedSink, write: WriteConfig | None = None) -> None:
        super().__init__()
        write = write or WriteConfig()
        if not write.bounds.unset:
            raise ConfigError(
                "with routes, each says when its table is written: Route(…, bounds=Bounds(…)); leave "
                "the bounds of WriteConfig out"
            )
        self._sink = sink
        self._write = write

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        if lineage.applied_behind(batches, AssignRoutes):
            raise ConfigError("RouteToSql assigns the routes itself; leave AssignRoutes out")
        write = self._write.with_bounds(self._sink.bounds())
        return (
            batches | "Route" >> self._sink.assign() | "Write" >> WriteToSql(self._sink.sink, write)
        )


def bounds_of(routes: Routes, schema: str, objects: Objects | None = None) -> TableBounds:
    """When tables and datasets are written: those of routes as these say, otherwise tables at once.

    Args:
        routes: The routes.
        schema: The default schema of the database, which labels of tables leave out.
        objects: The datasets; without bounds of its route, one waits for larger objects.
    """
    datasets = () if objects is None else tuple(objects.in_schema(schema).by_label)
    tables = dict.fromkeys(datasets, OF_OBJECTS)
    for route in routes.all:
        if not has_fields(route.table):
            label = TableName.parse(route.table).label(schema)
            if not route.bounds.unset or label not in tables:
                tables[label] = route.bounds
    named = [route.bounds for route in routes.all if has_fields(route.table)]
    return TableBounds(tables=tables, others=tightest(named) if named else None)


def _check_own_target(config: SqlConfig, place: ObjectConfig | None) -> None:
    if config.table != UNROUTED and (place is not None or not config.has_table):
        raise ConfigError(
            f"SqlConfig has the target {config.table}, and no record can go there: all routes lead to "
            "objects; leave it out, and give the routes a default for what matches none"
        )


def _with_default(routes: Routes, config: SqlConfig) -> Routes:
    """The routes with the sink's own table as their default, if it has one."""
    if not config.has_table:
        return routes
    if routes.default is not None:
        raise ConfigError(
            f"table {config.table} of SqlConfig gets what matches no route, and so does the default of "
            f"the routes, {routes.default.table}; leave one of them out"
        )
    rule = config.on_conflict
    default = Route(
        config.table,
        key=config.key,
        on_conflict=f"{rule.mode}:{rule.field}" if rule.field else rule.mode,
        unknown_fields=config.unknown_fields,
    )
    return Routes(routes.routes, default)
