"""A schema as a registry has it, and what looks it up."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from transforms.errors import RetryLater

SchemaId = int | UUID
"""How a message names its schema: the number that the registry gave it, or its GUID."""

AVRO, PROTOBUF, JSON = "AVRO", "PROTOBUF", "JSON"
"""The types of schemas, as Confluent's API names them."""


@dataclass(frozen=True, slots=True)
class WireSchema:
    """A schema with all that it refers to.

    Attributes:
        type: ``AVRO``, ``PROTOBUF`` or ``JSON``.
        text: The schema.
        references: Names and texts of the schemas that it refers to, each behind those that it
            refers to itself.
    """

    type: str
    text: str
    references: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """The characters of all texts."""
        return len(self.text) + sum(len(text) for _, text in self.references)


class Schemas(Hashable, Protocol):
    """Looks schemas up. Picklable: what it needs for that is made in each process."""

    @property
    def checks_json(self) -> bool:
        """Whether bodies that are JSON are checked by their schema."""
        ...

    def fetch(self, id: SchemaId) -> WireSchema:  # noqa: A002 - the concept's name
        """The schema of an id.

        Raises:
            UnknownSchema: The registry has none of this id.
            ServiceUnavailable: The registry is away.
            SourceRefused: It refuses the credentials.
            Unusable: What it answers is of no use.
        """
        ...

    def check(self) -> None:
        """Check that the registry answers.

        Raises:
            ConfigError: Something else answers.
            SourceUnavailable: It is away, or refuses the credentials.
        """
        ...


class UnknownSchema(RetryLater):
    """The registry has no schema of this id: it may come, or the message is of another registry."""


class Unusable(Exception):
    """A schema of which no message can be decoded; the message says why."""


def named(id: SchemaId) -> str:  # noqa: A002 - the concept's name
    """An id in a message.

    >>> named(7)
    'schema id 7'
    """
    return f"schema id {id}" if isinstance(id, int) else f"schema GUID {id}"
