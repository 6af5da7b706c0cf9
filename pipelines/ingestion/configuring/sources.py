"""From the options that say what is read, and how, to the sources of a pipeline."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from clients.kafka import config as kafka_config
from clients.s3 import S3Settings
from pipelines.ingestion.flags import BOUNDED_REST, STREAMING_REST
from sources.by_uri import SourceOptions, source_for
from sources.files.csv.options import CsvOptions
from sources.files.json.options import JsonOptions
from transforms.batch.splits import Source
from transforms.errors import ConfigError

if TYPE_CHECKING:
    from transforms.route.routes import Routes


def sources_of(
    flags: argparse.Namespace, routes: Routes | None, *, parallel: bool
) -> tuple[Source, ...]:
    """The sources that the options name.

    Args:
        flags: The options. ``alone`` has, by URI, those that one source has for itself.
        routes: The routes, whose keys may tell the records of one message apart.
        parallel: Whether many readers read at once.

    Raises:
        ConfigError: A URI or an option is wrong, or a source occurs twice.
    """
    uris = list(dict.fromkeys(flags.source))
    if len(uris) < len(flags.source):
        raise ConfigError("a --source is given twice")
    every = zip(uris, _by_source(flags), strict=True)
    return tuple(source_for(uri, _options(own, routes, parallel=parallel)) for uri, own in every)


def is_text(flags: argparse.Namespace) -> bool:
    """Whether all sources are topics whose messages are texts."""
    return all(own.format == "text" for own in _by_source(flags))


def takes_turns(flags: argparse.Namespace) -> bool:
    """Whether the tenants of a source take turns."""
    return any(own.fair for own in _by_source(flags))


def _by_source(flags: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The options of each source."""
    alone = getattr(flags, "alone", {})
    for uri in dict.fromkeys(flags.source):
        yield argparse.Namespace(**{**vars(flags), **alone.get(uri, {})})


_SPLITS_OF_WORKER = 4
"""Of a topic that is read to its end: partitions are not equally long, so that a worker gets several."""

_SPLIT_BYTES = 16 << 20
"""Of a file that workers share."""


def _options(flags: argparse.Namespace, routes: Routes | None, *, parallel: bool) -> SourceOptions:
    options = _of_one_reader(flags, routes, parallel=parallel)
    if flags.workers == 1:
        return options
    # A worker of a stream reads all of its splits in turns, so that one is best.
    splits = flags.workers * (1 if flags.streaming else _SPLITS_OF_WORKER)
    return replace(options, most_splits=splits, split_bytes=_SPLIT_BYTES)


def _of_one_reader(
    flags: argparse.Namespace, routes: Routes | None, *, parallel: bool
) -> SourceOptions:
    return SourceOptions(
        format=flags.format,
        max_record_bytes=flags.max_record_bytes,
        s3=S3Settings(endpoint_url=flags.s3_endpoint_url),
        streaming=flags.streaming,
        parallel=parallel,
        outage_budget=flags.outage_budget,
        kafka=kafka_config.parse(flags.kafka_config),
        rest_seconds=_rest_seconds(flags),
        encoding=flags.encoding,
        compression=flags.compression,
        exclude=tuple(flags.exclude),
        keyed=bool(flags.key) if routes is None else all(route.key for route in routes.all),
        missing_topic=flags.missing_topic,
        fair=flags.fair or "",
        tombstones=flags.on_delete != "dead",
        schemas=bool(flags.schema_registry),
        poll_interval=flags.poll_interval,
        csv=CsvOptions.of(
            delimiter=flags.csv_delimiter,
            quote=flags.csv_quote,
            escape=flags.csv_escape,
            header=flags.csv_header,
            columns=flags.csv_columns,
            skip=flags.csv_skip,
            comment=flags.csv_comment,
            nulls=tuple(flags.csv_null),
        ),
        json=JsonOptions.of(layout=flags.json_layout, path=flags.json_path),
    )


def _rest_seconds(flags: argparse.Namespace) -> float:
    if flags.rest_seconds is None:
        return STREAMING_REST if flags.streaming else BOUNDED_REST
    rest_seconds: float = flags.rest_seconds
    return rest_seconds
