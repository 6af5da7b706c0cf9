"""Check what a run reads before it reads: its sources are there, and have what the tables expect."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.ingestion.config import IngestConfig
from pipelines.ingestion.own_table import own_table
from pipelines.operation.start import once_reachable
from sinks import targets
from sinks.database.engine import exists
from sinks.sql import SqlSink
from sinks.table.target import Target
from sinks.tables import default_schema
from transforms.batch.expected import ExpectedFields
from transforms.batch.splits import Source
from transforms.parse.parse import ParseConfig
from transforms.parse.validate import column_checks

if TYPE_CHECKING:
    from transforms.mapping.mapping import Mapping
    from transforms.route.routes import Routes


def refuse_before_creating(config: IngestConfig, sink: SqlSink) -> None:
    """Check the sources before a table is created, so that nothing is made for a name that was mistyped.

    Where all tables are there, ``checked`` does it soon enough.

    Raises:
        ConfigError: A source is not there, its header does not fit the table that would be created, or the
            pipeline, which has the name of its table, cannot have that name.
        SourceUnavailable: A storage or a broker cannot be reached; or ``SinkUnavailable``.
    """
    missing = once_reachable(lambda: _missing(sink), config.write.outage_budget)
    if missing is None:
        return
    config.pipeline.named(own_table(config.sql))  # refuses a name that no pipeline can have
    fields = ExpectedFields() if config.routes is not None else missing.expected_fields
    _check(config, tuple(source.expecting(_read(fields, config)) for source in config.sources))


def checked(config: IngestConfig, sink: SqlSink) -> IngestConfig:
    """The configuration with sources that are there and know the columns of the tables; ``sink`` is prepared.

    Raises:
        ConfigError: A source is not there, or its header does not fit the table.
        SourceUnavailable: A storage or a broker cannot be reached; or ``SinkUnavailable``.
    """
    fields = expected_fields(config, sink)
    sources = tuple(source.expecting(fields) for source in config.sources)
    _check(config, sources)
    budget = config.write.outage_budget
    fixed = tuple(once_reachable(source.fixed, budget) for source in sources)
    if config.dead_letters is not None:
        once_reachable(config.dead_letters.check, budget)
    return replace(config, sources=fixed, parse=_by_columns(config, sink))


def expected_fields(config: IngestConfig, sink: SqlSink) -> ExpectedFields:
    """What a record as read needs, so that some table may take it; ``sink`` is prepared."""
    fields = sink.fields() if config.routes is None else _of_routes(config.routes, sink)
    return _read(fields, config)


def _check(config: IngestConfig, sources: tuple[Source, ...]) -> None:
    """Look at the sources, and at the registry of their schemas."""
    budget = config.write.outage_budget
    for source in sources:
        once_reachable(source.check, budget)
    if config.parse.schemas is not None:
        once_reachable(config.parse.schemas.check, budget)


def _missing(sink: SqlSink) -> Target | None:
    """The first of the known tables that is to be created; None if all are there, or none is known."""
    tables = [sink.config] if sink.config.has_table else []
    if sink.tables is not None:
        database = sink.config.database
        schema = default_schema(database) if exists(database) else None
        tables = sink.tables.configs(schema)
    missing = (targets.to_be_created(table) for table in tables)
    return next((target for target in missing if target is not None), None)


def _by_columns(config: IngestConfig, sink: SqlSink) -> ParseConfig:
    """How records are parsed, now that the table is there: by columns if no step looks at one."""
    looks = (config.mapping, config.routes, config.steps, config.parse.epochs)
    if any(looks) or config.unwrap.is_needed or column_checks(config.schema) is None:
        return config.parse
    return replace(config.parse, columns=sink.column_forms())


def _read(fields: ExpectedFields, config: IngestConfig) -> ExpectedFields:
    """What a record needs as it is read, if it needs ``fields`` as it is written."""
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
