"""What decodes messages, by the id of their schema: made once in each process, and bounded."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from transforms.errors import Reject
from transforms.parse.avro.decoder import AvroDecoder
from transforms.parse.protobuf.decoder import ProtobufDecoder
from transforms.parse.registry.json_bodies import JsonDecoder, validator
from transforms.parse.registry.schema import (
    AVRO,
    JSON,
    PROTOBUF,
    SchemaId,
    Schemas,
    UnknownSchema,
    Unusable,
    WireSchema,
)
from transforms.per_process import PerProcess

MOST_SCHEMAS = 1_000
MOST_CHARACTERS = 64 << 20
"""How much of the texts of schemas a process keeps; those that were used last stay."""

UNKNOWN_SECONDS = 10.0
"""How long an id stays unknown before the registry is asked again."""


class Decoder(Protocol):
    """Decodes the bodies of messages of one schema."""

    def one(self, raw: bytes, at: int, *, quotes: bool = True) -> Any:
        """The value of the body that begins at ``at``; raises ``Reject``."""
        ...

    def many(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        """The values of bodies that all begin at ``at``; None if ``one`` should say what they are."""
        ...


@dataclass(frozen=True, slots=True)
class Refusing:
    """Stands for the decoder of a schema that is of no use."""

    reason: str

    def one(self, raw: bytes, at: int, *, quotes: bool = True) -> Any:
        """Refuse it: ``malformed``."""
        raise Reject(self.reason, "malformed")

    def many(self, raws: Sequence[bytes], at: int) -> list[Any] | None:
        """None: it would refuse each."""
        return None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a message.

    Attributes:
        max_bytes: The longest body that is JSON.
        max_depth: How deep a value is nested at most.
    """

    max_bytes: int
    max_depth: int


class Decoders:
    """The decoders of a registry, in one process; for all threads.

    Args:
        schemas: Looks schemas up.
        bounds: Of a message.
        clock: Monotonic seconds.
    """

    def __init__(
        self, schemas: Schemas, bounds: Bounds, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._schemas = schemas
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.RLock()
        self._kept: OrderedDict[SchemaId, tuple[Decoder, int]] = OrderedDict()
        self._characters = 0
        self._unknown: OrderedDict[SchemaId, float] = OrderedDict()

    def get(self, id: SchemaId) -> Decoder:  # noqa: A002 - the concept's name
        """The decoder of an id; it is looked up if this process has none.

        Raises:
            UnknownSchema: The registry has no such schema, or had none a moment ago.
            ServiceUnavailable, SourceRefused: As ``Schemas.fetch``.
        """
        with self._lock:
            kept = self._kept.get(id)
            if kept is not None:
                self._kept.move_to_end(id)
                return kept[0]
            if self._clock() < self._unknown.get(id, 0.0):
                raise UnknownSchema("the registry has no such schema")
            decoder, size = self._made(id)
            self._unknown.pop(id, None)
            self._kept[id] = decoder, size
            self._characters += size
            while len(self._kept) > MOST_SCHEMAS or (
                self._characters > MOST_CHARACTERS and len(self._kept) > 1
            ):
                _, (_, size) = self._kept.popitem(last=False)
                self._characters -= size
            return decoder

    def has(self, id: SchemaId) -> bool:  # noqa: A002 - the concept's name
        """Whether this process need not ask for an id: it has the decoder, or the id is unknown."""
        with self._lock:
            return id in self._kept or self._clock() < self._unknown.get(id, 0.0)

    def _made(self, id: SchemaId) -> tuple[Decoder, int]:  # noqa: A002 - the concept's name
        try:
            schema = self._schemas.fetch(id)
        except Unusable as error:
            return Refusing(f"its schema cannot be used: {error}"), 0
        except UnknownSchema:
            self._unknown[id] = self._clock() + UNKNOWN_SECONDS
            if len(self._unknown) > MOST_SCHEMAS:
                self._unknown.popitem(last=False)
            raise
        checks = self._schemas.checks_json
        return decoder_of(schema, self._bounds, checks_json=checks), schema.size


def decoder_of(schema: WireSchema, bounds: Bounds, *, checks_json: bool = True) -> Decoder:
    """The decoder of a schema; one that refuses every message if the schema is of no use.

    Args:
        schema: The schema.
        bounds: Of a message.
        checks_json: Whether bodies that are JSON are checked by it.
    """
    try:
        if schema.type == AVRO:
            texts = [text for _, text in schema.references]
            return AvroDecoder(schema.text, texts, bounds.max_depth)
        if schema.type == PROTOBUF:
            return ProtobufDecoder(schema.text, schema.references, bounds.max_depth)
        if schema.type == JSON:
            checked = validator(schema.text, schema.references) if checks_json else None
            return JsonDecoder(bounds.max_bytes, bounds.max_depth, checked)
    except Unusable as error:
        return Refusing(f"its schema cannot be used: {error}")
    return Refusing(f"schemas of type {schema.type[:40]} are not supported")


_DECODERS: PerProcess[tuple[Schemas, Bounds], Decoders] = PerProcess(lambda key: Decoders(*key))


def of(schemas: Schemas, bounds: Bounds) -> Decoders:
    """The decoders of a registry in this process."""
    return _DECODERS.get((schemas, bounds))
