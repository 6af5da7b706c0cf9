"""The types that Parquet files have are kept in objects that no schema describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pipelines.ingestion.config import IngestConfig
from pipelines.operation.start import once_reachable
from sinks.sql import SqlSink
from transforms.batch.splits import Source

if TYPE_CHECKING:
    from sinks.object_datasets import Objects
    from sinks.objects.planned import Dataset


@runtime_checkable
class HasStoredSchema(Protocol):
    """A source whose objects may say which types their columns have."""

    def stored_schema(self) -> Any | None:
        """Arrow's schema (``pa.Schema``), or None if they have none, or not the same."""
        ...


def with_stored_types(sink: SqlSink, config: IngestConfig) -> SqlSink:
    """The sink with the types of what is read, for objects that no schema describes."""
    objects = sink.objects
    if objects is None:
        return sink
    budget = config.write.outage_budget
    return replace(sink, objects=once_reachable(lambda: typed(objects, config), budget))


def typed(objects: Objects, config: IngestConfig) -> Objects:
    """``objects``, where those that take any record have the columns of the sources.

    A mapping makes other fields, so that they then keep the record as JSON text.

    Raises:
        SourceUnavailable: A storage cannot be reached.
    """
    mapped = set[str]()
    if config.routes is not None:
        mapped = {route.table for route in config.routes.all if route.mapping is not None}
    open_ = [
        dataset
        for dataset in objects.datasets
        if dataset.columns.whole and dataset.label not in mapped
    ]
    if config.mapping is not None or not open_:
        return objects
    schema = _shared(config.sources)
    if schema is None:
        return objects
    datasets = (
        _typed(dataset, schema) if dataset in open_ else dataset for dataset in objects.datasets
    )
    return replace(objects, datasets=tuple(datasets))


def _typed(dataset: Dataset, schema: Any) -> Dataset:
    from sinks.objects.encoding.columns import Columns  # with pyarrow

    before = dataset.columns
    columns = Columns.of_arrow(schema, origin=before.origin, elements=before.elements)
    return replace(dataset, columns=columns)


def _shared(sources: Sequence[Source]) -> Any | None:
    """The schema that all sources share."""
    shared = None
    for source in sources:
        schema = source.stored_schema() if isinstance(source, HasStoredSchema) else None
        if schema is None or (shared is not None and not schema.equals(shared)):
            return None
        shared = schema
    return shared
