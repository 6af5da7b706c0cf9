"""From a ``--sink`` of objects, and the routes that lead to objects, to datasets of objects."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import reduce
from operator import add

from clients.s3 import S3Settings
from pipelines.flags import is_of_objects
from sinks.database.label import UNROUTED
from sinks.object_datasets import Objects
from sinks.objects.config import ObjectConfig
from sinks.table.config import SqlConfig
from sinks.tables import Tables
from transforms.errors import ConfigError
from transforms.route.route import Route
from transforms.route.routes import Routes


def own_dataset(flags: argparse.Namespace) -> ObjectConfig:
    """The pipeline's own dataset: that of ``--table`` in a ``--sink`` of objects, or all of it.

    Raises:
        ConfigError: The URI or the dataset's name is wrong.
    """
    return ObjectConfig.of(flags.sink, flags.table or "", settings=_settings(flags))


def objects_of(flags: argparse.Namespace, sql: SqlConfig, routes: Routes | None) -> Objects | None:
    """The datasets that records go to; None if all go to tables.

    Args:
        flags: The options.
        sql: The pipeline's own target; that of a ``--sink`` of objects has the label of the dataset.
        routes: The routes; those with a ``sink`` lead to objects, and all do with a ``--sink`` of
            objects.

    Raises:
        ConfigError: A URI, a name or a setting is wrong, or is for tables only.
    """
    own = own_dataset(flags) if is_of_objects(flags.sink) else None
    if routes is None:
        if own is None:
            return None
        return Objects.of(
            own, schema=sql.schema, unknown_fields=sql.unknown_fields, elements=sql.elements
        )
    by_sink: dict[str, list[Route]] = {}
    for route in routes.all:
        sink = route.sink or (flags.sink if own is not None else "")
        if sink:
            _check(route)
            by_sink.setdefault(sink, []).append(replace(route, sink=""))
    nowhere = replace(sql, table=UNROUTED)
    every = [
        _dataset(flags, own, sink, label, use.config)
        for sink, leading in by_sink.items()
        for label, use in Tables.of(nowhere, leading).known(None).items()
    ]
    return reduce(add, every) if every else None


def _dataset(
    flags: argparse.Namespace, own: ObjectConfig | None, sink: str, label: str, config: SqlConfig
) -> Objects:
    """The dataset to which routes send records under ``label``."""
    if own is not None and label == own.label:
        where = own
    else:
        where = ObjectConfig.of(sink, label, settings=_settings(flags))
    return Objects.of(
        where,
        schema=config.schema,
        unknown_fields=config.unknown_fields,
        elements=config.elements,
        label=label,
    )


def _settings(flags: argparse.Namespace) -> S3Settings:
    return S3Settings(endpoint_url=flags.s3_endpoint_url)


def _check(route: Route) -> None:
    """Refuse what only tables can honour."""
    if route.sink and not is_of_objects(route.sink):
        raise ConfigError(
            f"route {route.name}: a sink of its own is a place for objects, s3://bucket/prefix or "
            "file:///folder; all tables are in the database of --sink"
        )
    wrong = [name for name in ("key", "on_conflict") if getattr(route, name) not in ((), "ignore")]
    if wrong:
        raise ConfigError(
            f"route {route.name}: {', '.join(wrong)}: objects are only added to, never changed; leave "
            "it out"
        )
    if route.pattern:
        raise ConfigError(
            f"route {route.name}: the datasets of objects are known beforehand; name them with "
            "tables: [...] instead of a pattern"
        )
