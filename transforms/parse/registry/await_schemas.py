"""Wait for the schemas of a batch before it is decoded: while the registry is away, nothing is settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

import transforms.batch.coders  # noqa: F401  registers the coder of RecordBatch
from transforms import instruments
from transforms.batch.divide import divided
from transforms.batch.record import RecordBatch
from transforms.errors import ServiceUnavailable
from transforms.parse.registry import decoders
from transforms.parse.registry.decode import by_schema, is_of_topic
from transforms.parse.registry.decoders import Bounds
from transforms.parse.registry.schema import SchemaId, Schemas, UnknownSchema
from transforms.parse.registry.wire import KEY_HEADER, VALUE_HEADER
from transforms.steps import service as services
from transforms.steps.passage import Passage
from transforms.steps.service import Service, Taken, Waits, parts_taken

LABEL = "schema registry"

_MOST_RECORDS = 1 << 20
"""The registry is asked once a schema, so it does not limit the size of batches."""


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that batches wait for.

    Attributes:
        schemas: Looks schemas up.
        bounds: Of a message.
        waits: How long to wait for it.
        keys: Whether keys are decoded too.
    """

    schemas: Schemas
    bounds: Bounds
    waits: Waits
    keys: bool = False

    def service(self) -> Service:
        """Make what is known of it at first."""
        service = Service(LABEL, self.waits)
        service.took(_MOST_RECORDS, 0.0, _MOST_RECORDS)
        return service


class AwaitSchemas(beam.PTransform):
    """Let a batch pass once this process has the schemas that its messages name.

    A schema that the registry does not have holds up nothing: its messages fail when they are decoded.

    Args:
        registry: The registry.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return batches | "Look up" >> beam.ParDo(_AwaitFn(self._registry)).with_input_types(
            RecordBatch
        ).with_output_types(RecordBatch)


class _AwaitFn(beam.DoFn):
    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def setup(self) -> None:
        services.of(self._registry)

    def process(self, batch: RecordBatch) -> Sequence[RecordBatch]:
        if not is_of_topic(batch):
            return (batch,)
        with instruments.stage("parse"):
            return tuple(parts_taken(batch, services.of(self._registry), self._take))

    def _take(self, batch: RecordBatch, passage: Passage | None) -> Taken:
        """Look up every schema; from the first record on whose schema is not to be had, none is taken."""
        registry = self._registry
        service = services.of(registry)
        kept = decoders.of(registry.schemas, registry.bounds)
        asked = False
        for id_, index in sorted(_needed(batch, keys=registry.keys), key=lambda pair: pair[1]):
            if kept.has(id_):
                continue
            try:
                kept.get(id_)
            except UnknownSchema:
                pass
            except ServiceUnavailable as error:
                offset = batch.offsets[index]
                before = divided(batch, offset)[0] if offset > batch.span.start else None
                return Taken(before, offset, str(error))
            asked = True
        if asked:
            service.answered()
        else:
            service.leave_turn()
        return Taken(batch)


def _needed(batch: RecordBatch, *, keys: bool) -> Iterator[tuple[SchemaId, int]]:
    """The schemas that messages name, and the first message that names each."""
    for id_, groups in by_schema(batch.raws, batch.headers, VALUE_HEADER).items():
        yield id_, min(group.indices[0] for group in groups)
    if keys and batch.keys is not None:
        for id_, groups in by_schema(batch.keys, batch.headers, KEY_HEADER).items():
            yield id_, min(group.indices[0] for group in groups)
