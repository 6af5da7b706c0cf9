"""What the tables of a pipeline expect of the fields of records, for sources that ask for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.ingestion.config import IngestConfig
from sinks.sql import SqlSink
from sinks.tables import default_schema
from transforms.batch.expected import ExpectedFields

if TYPE_CHECKING:
    from transforms.mapping.mapping import Mapping
    from transforms.route.routes import Routes


def expected_fields(config: IngestConfig, sink: SqlSink) -> ExpectedFields:
    """What a record as read needs, so that some table may take it; ``sink`` is prepared."""
    fields = sink.fields() if config.routes is None else _of_routes(config.routes, sink)
    if config.mapping is not None:
        fields = replace(fields, names=_before(fields.names, config.mapping), complete=False)
    return replace(
        fields,
        renamed=config.mapping is not None or bool(config.steps) or _maps(config.routes),
        quotes=not config.hidden,
    )


def _of_routes(routes: Routes, sink: SqlSink) -> ExpectedFields:
    """The fields of all tables, of which a record needs one; nothing where any record may do."""
    if sink.tables is None or any(route.pattern or route.sink for route in routes.all):
        return ExpectedFields()
    names: frozenset[str] = frozenset()
    for label in sink.tables.known(default_schema(sink.config.database)):
        of_table = sink.fields(label).names
        if not of_table:
            return ExpectedFields()
        names |= of_table
    for route in routes.all:
        if route.mapping is not None:
            names = _before(names, route.mapping)
    return ExpectedFields(names)


def _before(names: frozenset[str], mapping: Mapping) -> frozenset[str]:
    """The fields of which a record needs one before ``mapping``, if it needs ``names`` after it."""
    return names | mapping.reads if names and mapping.reads is not None else frozenset()


def _maps(routes: Routes | None) -> bool:
    return routes is not None and any(route.mapping is not None for route in routes.all)
