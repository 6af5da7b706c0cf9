"""Bodies of other writers, put into Confluent's wire format and read as a pipeline reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.transforms.parse.registry.registries import Schemas
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.parse.parse import ParseConfig, parse
from transforms.parse.registry.schema import WireSchema

_ID = 7


def read(schema: WireSchema, bodies: Sequence[bytes]) -> list[Any]:
    """The value of each body; of one that is refused, the category and the message as one text.

    Args:
        schema: What they were written with.
        bodies: The bytes behind the schema's id.
    """
    raws = [b"\0" + _ID.to_bytes(4, "big") + body for body in bodies]
    span = Span("kafka://interop", "0", 0, len(raws))
    batch = RecordBatch(span, JSON, range(len(raws)), raws)
    result = parse(batch, ParseConfig(schemas=Schemas({_ID: schema})))
    read: dict[int, Any] = dict(zip(result.offsets, result.values or (), strict=True))
    for failure in result.failures:
        read[failure.origin.offset] = f"{failure.category}: {failure.message}"
    return [read[number] for number in range(len(raws))]
