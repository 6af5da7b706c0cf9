"""From a ``--sink`` of objects, and the routes that lead to objects, to datasets of objects."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from clients.s3 import S3Settings
from pipelines.flags import is_of_objects
from sinks.object_datasets import Objects
from sinks.objects.config import ObjectConfig
from sinks.table.config import SqlConfig
from transforms.errors import ConfigError

if TYPE_CHECKING:
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
        return _own(own, sql)
    for route in routes.all:
        if route.sink and not is_of_objects(route.sink):
            raise ConfigError(
                f"route {route.name}: a sink of its own is a place for objects, s3://bucket/prefix or "
                "file:///folder; all tables are in the database of --sink"
            )
    settings = _settings(flags)
    others = [route for route in routes.all if own is None or route.table != own.label]
    place = None if own is None else ObjectConfig.of(flags.sink, settings=settings)
    whole = Objects.of_routes(others, sql, own=place, settings=settings)
    if own is not None and len(others) < len(routes.all):
        whole = whole + _own(own, sql)
    return whole if whole.datasets else None


def _own(own: ObjectConfig, sql: SqlConfig) -> Objects:
    """The pipeline's own dataset."""
    return Objects.of(
        own, schema=sql.schema, unknown_fields=sql.unknown_fields, elements=sql.elements
    )


def _settings(flags: argparse.Namespace) -> S3Settings:
    return S3Settings(endpoint_url=flags.s3_endpoint_url)
