"""Keys of messages, where they name a schema too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from transforms.batch.record import RecordBatch
from transforms.errors import Reject
from transforms.parse.registry.decode import by_schema
from transforms.parse.registry.decoders import Decoders
from transforms.parse.registry.schema import UnknownSchema
from transforms.parse.registry.wire import KEY_HEADER


def with_key_values(batch: RecordBatch, decoders: Decoders) -> RecordBatch:
    """``batch`` with what its keys decode to.

    A key that names no schema stays what it is, and so does one that only looks as if it did: a number of
    eight bytes may begin with a zero.

    Args:
        batch: Messages.
        decoders: Of the registry.

    Raises:
        ServiceUnavailable, SourceRefused: As ``Decoders.get``.
    """
    if batch.keys is None:
        return batch
    values: list[Any] = list(batch.keys)
    for id_, groups in by_schema(batch.keys, batch.headers, KEY_HEADER).items():
        try:
            decoder = decoders.get(id_)
        except UnknownSchema:
            continue
        for group in groups:
            decoded = decoder.many(group.raws, group.at)
            for place, index in enumerate(group.indices):
                try:
                    values[index] = (
                        decoder.one(group.raws[place], group.at)
                        if decoded is None
                        else decoded[place]
                    )
                except Reject:
                    continue
    return replace(batch, key_values=values)
